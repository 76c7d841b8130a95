# shellcheck shell=bash
# What image.sh and run.sh share. To be sourced.

# say MESSAGE: a line of progress, apart from what a script returns on standard output.
say() { echo "lab: $*" >&2; }

# die MESSAGE: the same, and the end.
die() { say "$*"; exit 1; }

# need FILE=PACKAGE ...: installs the Debian packages of the commands, or files with a full path, that are missing.
need() {
	local pair missing=() sudo=()
	for pair in "$@"; do
		[ -e "${pair%%=*}" ] || PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "install these packages and try again: ${missing[*]}"
		sudo=(sudo)
	fi
	say "installing Debian packages: ${missing[*]} (${sudo[*]:-as root})"
	"${sudo[@]}" apt-get update -qq >&2 || say "apt-get update failed; trying with the package lists that are here"
	DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}
