#!/bin/sh
# Waits until wifiprovd is CONNECTED and the network has given an address, and prints it.
#
# Usage: wait-online.sh [SECONDS]      (default: 60)
#
# Exit status: 0 online; 1 not within that time, with the status, the message and the reason on standard error. Any
# user may run it; busctl comes with systemd. See docs/dbus.md.
set -eu

left=${1:-60}

# get PROPERTY: prints its value, nothing if wifiprovd does not run.
get() {
	busctl --json=short get-property io.github.wifiprovd1 /io/github/wifiprovd1 io.github.wifiprovd1 "$1" 2>/dev/null |
		sed -e 's/^{"type":"[a-z]*","data"://' -e 's/}$//' -e 's/^"//' -e 's/"$//'
}

while [ "$left" -gt 0 ]; do
	address=$(get IPv4)
	[ -n "$address" ] || address=$(get IPv6)
	if [ "$(get Status)" = CONNECTED ] && [ -n "$address" ]; then
		echo "$address"
		exit 0
	fi
	left=$((left - 1))
	sleep 1
done
status=$(get Status)
if [ -z "$status" ]; then
	echo 'wifiprovd is not running: systemctl start wifiprovd' >&2
else
	echo "$status: $(get Message) (reason: $(get Reason))" >&2
fi
exit 1
