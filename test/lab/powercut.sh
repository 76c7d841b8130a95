#!/bin/bash
# Cuts the power of a machine that writes secrets, again and again, and looks at what its disk then holds.
#
# Usage: powercut.sh SUITE [N] [WHAT]    (SUITE as for run.sh, N cuts, default 50; WHAT is saves or seals, default both)
#
# qemu is killed at a random moment. SEED repeats the moments, as far as an emulated machine repeats anything.
#
# saves: the machine has no radios and no systemd: its first program saves numbered contents without end and says each
# number after Save has returned. At the next boot the store must hold, whole, the last number that was said or the one
# after it. Every other boot seals what it finds, and the next one opens it.
# seals: the machine has systemd and no radios. A network is stored, and wifiprovctl makes codes, seals and undoes it, in turns,
# with the daemon (powercut/main.go). At the next boot the store and the code must be whole, sealed or not, and the code the
# last one that was shown or one that was not. Its disk is slow: most of the time it writes.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
# shellcheck source=/dev/null
. "$here/lib.sh"
suite=${1:-} cuts=${2:-50} what=${3:-}
image=$("$here/image.sh" "$suite")
need qemu-system-x86_64=qemu-system-x86 cpio=cpio mkfs.ext4=e2fsprogs
tmp=$(mktemp -d)
qemu=
trap '[ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true; rm -rf "$tmp"' EXIT

# prepare OVERLAY: the machine's files, with what is in the folder, and an empty disk. The folder has the first program.
prepare() {
	cat >"$1/usr/lib/lab/disk" <<-'END'
		mount -t devtmpfs dev /dev
		mount -t proc proc /proc
		modprobe -a virtio_pci virtio_blk ext4
		while [ ! -b /dev/vda ]; do sleep 0.1; done
		mkdir -p /disk
		mount -t ext4 /dev/vda /disk
	END
	chmod -R go+rX,go-w "$1"
	chmod +x "$1/usr/lib/lab/powercut-init"
	cp "$image/base.cpio" "$tmp/initrd"
	(cd "$1" && find . -print0 | cpio --null -o -H newc --owner=0:0 --quiet) >>"$tmp/initrd"
	rm -f "$tmp/disk"
	truncate -s 64M "$tmp/disk"
	mkfs.ext4 -q -F "$tmp/disk"
}

# boot DISK OPTIONS: starts the machine; its console goes to the file console.
boot() {
	: >"$tmp/console"
	qemu-system-x86_64 -cpu Nehalem -accel tcg -m 1024 -smp 1 -display none -vga none -serial "file:$tmp/console" \
		-no-reboot -nic none -kernel "$image/vmlinuz" -initrd "$tmp/initrd" \
		-drive "file=$tmp/disk,format=raw,if=virtio,cache=writethrough$1" \
		-append "console=ttyS0 quiet TERM=dumb mitigations=off panic=-1 rdinit=/usr/lib/lab/powercut-init $2" </dev/null &
	qemu=$!
}

# says WHAT: what the whole lines of the console say about it. They end with CR LF.
says() { sed -n "s/^powercut: $1 \(.*\)\r\$/\1/p" "$tmp/console"; }
said() { says "$1" | tail -n 1; }

# await WHAT: waits until the machine says it.
await() {
	until [ -n "$(said "$1")" ]; do
		if ! kill -0 "$qemu" 2>/dev/null || grep -qE 'ended by itself|powercut: broken' "$tmp/console"; then
			cat "$tmp/console"
			die "cut $cut: what is stored is not whole, or the machine did not come up"
		fi
		sleep 0.1
	done
}

# cut_power SECONDS: cuts it at a random moment within these, at once if that is the end.
cut_power() {
	if [ "$cut" -lt "$cuts" ]; then sleep "$((RANDOM % $1)).$((RANDOM % 10))$((RANDOM % 10))$((RANDOM % 10))"; fi
	kill -KILL "$qemu"
	wait "$qemu" 2>/dev/null || true
	if grep -q 'powercut: broken' "$tmp/console"; then
		cat "$tmp/console"
		die "cut $cut: what the machine did failed"
	fi
	if grep -q 'stale file' "$tmp/console"; then stale=$((stale + 1)); fi
	cut=$((cut + 1))
}

saves() {
	local overlay=$tmp/saves last='' found sealed
	mkdir -p "$overlay/usr/lib/lab"
	(cd "$top" && CGO_ENABLED=0 GOARCH=amd64 go test -c -o "$overlay/usr/lib/lab/credstore.test" ./internal/credstore)
	cat >"$overlay/usr/lib/lab/powercut-init" <<-'END'
		#!/bin/sh
		set -e
		. /usr/lib/lab/disk
		CREDSTORE_POWERCUT=/disk/store /usr/lib/lab/credstore.test -test.v -test.timeout=0 -test.run='^TestPowerCut$'
		echo 'powercut: ended by itself'
	END
	prepare "$overlay"
	while [ "$cut" -le "$cuts" ]; do
		sealed=
		if [ $((cut % 2)) -eq 1 ]; then sealed=CREDSTORE_SEALED=1; fi # to the first program's environment
		boot '' "$sealed"
		await saved
		found=$(said found)
		if [ -n "$last" ] && { [ "$found" -lt "$last" ] || [ "$found" -gt $((last + 1)) ]; }; then
			die "cut $cut: $last was saved, and $found was found"
		fi
		say "after $cut cuts: ${last:-nothing} was saved, $found found"
		cut_power 1
		last=$(said saved)
	done
	say "$cuts power cuts, $last saves: each time the old or the new contents, whole; $stale times a temporary file was left, and swept"
}

# slow is the disk: a write takes 20 ms.
slow=,throttling.iops-write=50

seals() {
	local overlay=$tmp/seals system=$tmp/seals/etc/systemd/system last='' at='' turns=0 found form which
	mkdir -p "$overlay/usr/lib/lab" "$system"
	make -s -C "$top" install DESTDIR="$overlay" GOARCH=amd64 >&2
	(cd "$top" && CGO_ENABLED=0 GOARCH=amd64 go build -tags lab -ldflags '-s -w' -o "$overlay/usr/lib/lab/powercut" ./test/lab/powercut)
	for unit in bluetooth wpa_supplicant systemd-networkd wifiprovd-radio; do ln -s /dev/null "$system/$unit.service"; done
	cat >"$overlay/usr/lib/lab/powercut-init" <<-'END'
		#!/bin/sh
		set -e
		. /usr/lib/lab/disk
		mount -t sysfs sys /sys
		for dir in etc var/lib; do
			if [ ! -e "/disk/$dir" ]; then
				mkdir -p "/disk/$dir"
				cp -a "/$dir/." "/disk/$dir"
				sync
			fi
			mount --bind "/disk/$dir" "/$dir"
		done
		exec /usr/lib/systemd/systemd
	END
	cat >"$system/powercut.service" <<-'END'
		[Unit]
		Description=Seals and opens, until the power is cut
		Requires=basic.target
		[Service]
		PassEnvironment=TURN
		ExecStart=/usr/lib/lab/powercut $TURN
		StandardOutput=file:/dev/console
	END
	prepare "$overlay"
	while [ "$cut" -le "$cuts" ]; do
		boot "$slow" "systemd.unit=powercut.service systemd.show_status=0 TURN=$cut"
		await begins
		read -r found form <<<"$(said found)"
		if [ -n "$last" ] && [ "$found" != "$last" ] && grep -qx "$found" "$tmp/shown"; then
			die "cut $cut: the last code was $last, and $found was found, an older one"
		fi
		which='a code that was not shown'
		if [ "$found" = "$last" ]; then which='the code that was shown last'; fi
		say "after $cut cuts${at:+, the last in $at}: $form, $which"
		cut_power 15
		turns=$((turns + $(says 'done' | wc -l)))
		says code >>"$tmp/shown"
		echo "$found" >>"$tmp/shown"
		last=$(said code)
		last=${last:-$found}
		at=$(said begins)
		if [ "$(says begins | wc -l)" = "$(says 'done' | wc -l)" ]; then at=nothing; fi
	done
	say "$cuts power cuts, in $turns turns of making, sealing and opening: each time all of it was whole; $stale times a temporary file was left, and swept"
}

RANDOM=${SEED:=$RANDOM}
say "SEED=$SEED"
for each in ${what:-saves seals}; do
	cut=0 stale=0
	"$each"
done
