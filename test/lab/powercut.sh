#!/bin/bash
# Cuts the power of a machine that saves credentials, again and again, and looks at what its disk then holds.
#
# Usage: powercut.sh SUITE [N]    (SUITE as for run.sh, N cuts, default 50)
#
# The machine has no radios and no systemd: its first program saves numbered contents without end and says each number
# after Save has returned. qemu is killed at a random moment. At the next boot the store must hold, whole, the last
# number that was said or the one after it. Every other boot seals what it finds, and the next one opens it. SEED repeats the moments, as far as an emulated machine repeats anything.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
# shellcheck source=/dev/null
. "$here/lib.sh"
suite=${1:-} cuts=${2:-50}
image=$("$here/image.sh" "$suite")
need qemu-system-x86_64=qemu-system-x86 cpio=cpio mkfs.ext4=e2fsprogs
tmp=$(mktemp -d)
qemu=
trap '[ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true; rm -rf "$tmp"' EXIT

mkdir -p "$tmp/overlay/usr/lib/lab"
(cd "$top" && CGO_ENABLED=0 GOARCH=amd64 go test -c -o "$tmp/overlay/usr/lib/lab/credstore.test" ./internal/credstore)
cat >"$tmp/overlay/usr/lib/lab/powercut" <<'EOF'
#!/bin/sh
set -e
mount -t devtmpfs dev /dev
mount -t proc proc /proc
modprobe -a virtio_pci virtio_blk ext4
while [ ! -b /dev/vda ]; do sleep 0.1; done
mkdir -p /disk
mount -t ext4 /dev/vda /disk
CREDSTORE_POWERCUT=/disk/store /usr/lib/lab/credstore.test -test.v -test.timeout=0 -test.run='^TestPowerCut$'
echo 'powercut: ended by itself'
EOF
chmod +x "$tmp/overlay/usr/lib/lab/powercut"
cp "$image/base.cpio" "$tmp/initrd"
(cd "$tmp/overlay" && find . -print0 | cpio --null -o -H newc --owner=0:0 --quiet) >>"$tmp/initrd"
truncate -s 64M "$tmp/disk"
mkfs.ext4 -q -F "$tmp/disk"

# boot: starts the machine; its console goes to the file console.
boot() {
	local sealed=
	if [ $((cut % 2)) -eq 1 ]; then sealed=CREDSTORE_SEALED=1; fi # to the first program's environment
	: >"$tmp/console"
	qemu-system-x86_64 -cpu Nehalem -accel tcg -m 1024 -smp 1 -display none -vga none -serial "file:$tmp/console" \
		-no-reboot -nic none -kernel "$image/vmlinuz" -initrd "$tmp/initrd" \
		-drive "file=$tmp/disk,format=raw,if=virtio,cache=writethrough" \
		-append "console=ttyS0 quiet mitigations=off panic=-1 rdinit=/usr/lib/lab/powercut $sealed" </dev/null &
	qemu=$!
}

# said WHAT: the last number of the console's whole lines about it.
said() { tr -d '\r' <"$tmp/console" | sed -n "s/^powercut: $1 \([0-9]*\)\$/\1/p" | tail -n 1; }

RANDOM=${SEED:=$RANDOM}
say "SEED=$SEED"
last='' stale=0 cut=0
while [ "$cut" -le "$cuts" ]; do
	boot
	until [ -n "$(said saved)" ]; do
		if ! kill -0 "$qemu" 2>/dev/null || grep -q 'ended by itself' "$tmp/console"; then
			cat "$tmp/console"
			die "cut $cut: the store is not whole, or the machine did not come up"
		fi
		sleep 0.1
	done
	found=$(said found)
	if grep -q 'stale file' "$tmp/console"; then stale=$((stale + 1)); fi
	if [ -n "$last" ] && { [ "$found" -lt "$last" ] || [ "$found" -gt $((last + 1)) ]; }; then
		die "cut $cut: $last was saved, and $found was found"
	fi
	say "after $cut cuts: ${last:-nothing} was saved, $found found"
	if [ "$cut" -lt "$cuts" ]; then sleep "0.$((RANDOM % 10))$((RANDOM % 10))$((RANDOM % 10))"; fi
	kill -KILL "$qemu"
	wait "$qemu" 2>/dev/null || true
	last=$(said saved)
	cut=$((cut + 1))
done
say "$cuts power cuts, $last saves: each time the old or the new contents, whole; $stale times a temporary file was left, and swept"
