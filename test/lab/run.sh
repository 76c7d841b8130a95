#!/bin/bash
# Boots the lab's machine with this tree's wifiprovd installed in it, and runs the lab's tests there.
#
# Usage: [RUN=regexp] run.sh SUITE [ARCH] [-- COMMAND ...]
#
# SUITE is bookworm, trixie or sid; ARCH is amd64 (default) or arm64, whose Bluetooth is on serial lines. RUN selects tests by name. COMMAND runs in the
# machine in place of the tests, with the radios and the neighbours up. The exit status is that of the tests.
# build/lab/SUITE-ARCH/ then holds console.txt, journal.txt, and whatever was written to /lab/out in the machine.
#   LAB_OUT       another folder for that
#   LAB_FULL      how often to repeat what has a long form (faults.sh); empty: the short form
#   LAB_BACKEND   networkmanager: NetworkManager manages the interface in every test
#   LAB_LONG      1: the long form of the attacks (make attack)
#   LAB_SEED      the seed of what is random, which the tests that have one print; empty: another one each time
#   LAB_ONCE      a suite: not the tests that are played on another (machine/usr/lib/lab/once); empty: all
#   LAB_PACKAGES  a folder with packages: they are in the machine, in /usr/lib/lab/packages, and this tree is not installed
#   LAB_OVERLAY   a folder of more files for the machine
#   LAB_DEADLINE  seconds after which a boot that is not done is killed (default 3600)
#   LAB_FORWARD   ports of 127.0.0.1 that lead to ports of the machine: "40000-:7000 40001-:7001" (web.sh)
#   LAB_CLIENTS   1: noble and Home Assistant's library are in the machine, whatever runs there
#   LAB_CACHE     where image.sh keeps its images, and this script what npm gave it
#
# Without KVM, time in the machine is counted, not measured: each instruction takes 2 ns, 500 million a second,
# and while the machine waits, its clock goes to what it waits for. So a busy host slows the run down, but nothing that
# a test sees, and waiting costs nothing. With LAB_FORWARD it waits as long as it says: what is outside has another clock.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
# shellcheck source=/dev/null
. "$here/lib.sh"

suite=${1:-} arch=amd64
shift || true
if [ "${1:---}" != -- ]; then arch=$1; shift; fi
if [ "${1:-}" = -- ]; then shift; fi
if [ $# -eq 0 ]; then set -- /usr/lib/lab/tests; fi

export LAB_CACHE=${LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wifiprovd-lab}
image=$("$here/image.sh" "$suite" "$arch")
need cpio=cpio
case $arch in
amd64)
	need qemu-system-x86_64=qemu-system-x86
	qemu=(qemu-system-x86_64 -cpu Nehalem) console=ttyS0 deadline=${LAB_DEADLINE:-3600}
	;;
arm64) # a Raspberry Pi 4's core
	need qemu-system-aarch64=qemu-system-arm
	qemu=(qemu-system-aarch64 -M virt -cpu cortex-a72) console=ttyAMA0 deadline=${LAB_DEADLINE:-3600}
	;;
esac
out=$(realpath -m "${LAB_OUT:-$top/build/lab/$suite-$arch}")
rm -rf "$out"
mkdir -p "$out"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# kvm_works: whether a kernel gets as far as looking for its root under KVM. /dev/kvm may exist and qemu still
# abort or hang, so it is tried, once a boot of the host.
kvm_works() {
	local result
	[ -w /dev/kvm ] || return
	result=$LAB_CACHE/kvm-$arch-$(cat /proc/sys/kernel/random/boot_id)
	if [ ! -e "$result" ]; then
		rm -f "$LAB_CACHE/kvm-$arch"-*
		if timeout -k 1 10 "${qemu[@]}" -accel kvm -m 256 -nographic -no-reboot -nic none -kernel "$image/vmlinuz" \
			-append "console=$console panic=-1" </dev/null 2>/dev/null | grep -q 'Unable to mount root'; then
			echo yes >"$result"
		else
			echo no >"$result"
		fi
	fi
	grep -q yes "$result"
}

# needs_node FOLDER COMMAND ...: whether the run has a test that needs Node.js and noble. Every boot would have to unpack them.
needs_node() {
	local dir=$1 selected
	shift
	[ -z "${LAB_CLIENTS:-}" ] || return 0
	[ "$*" = /usr/lib/lab/tests ] && [ "$arch" = amd64 ] || return
	selected=$("$dir/usr/lib/lab/lab.test" -test.list "${RUN:-.}") || return 0 # not of this machine's architecture
	grep -q '^TestNoble' <<<"$selected"
}

# needs_python FOLDER COMMAND ...: whether the run has a test that needs Python, and the suite has what the test is about.
needs_python() {
	local dir=$1
	shift
	[ -z "${LAB_CLIENTS:-}" ] || [ ! -e "$image/python.cpio" ] || return 0
	[ "$*" = /usr/lib/lab/tests ] && [ "$arch" = amd64 ] && [ -e "$image/python.cpio" ] || return
	"$dir/usr/lib/lab/lab.test" -test.list "${RUN:-.}" | grep -qE '^Test(HomeAssistant|ClaimTokenInPython)'
}

# needs_tpm FOLDER COMMAND ...: whether the run has a test that needs a TPM.
needs_tpm() {
	local dir=$1 selected
	shift
	[ "$*" = /usr/lib/lab/tests ] && [ "$arch" = amd64 ] || return
	selected=$("$dir/usr/lib/lab/lab.test" -test.list "${RUN:-.}") || return
	grep -q '^Test.*TPM$' <<<"$selected"
}

# noble FOLDER: a phone's host stack that is not BlueZ, and its script, into the folder: from npm by the lock file, once, and
# of that what noble loads on Linux. Its native part comes built.
noble() {
	local dir=$1 cached lock built
	cached=$LAB_CACHE/noble-$(sha256sum "$here/noble/package-lock.json" | cut -c1-12)
	exec {lock}>"$LAB_CACHE/noble.lock"
	flock "$lock"
	if [ ! -d "$cached" ]; then
		need node=nodejs npm=npm
		say "getting noble from npm, once"
		built=$(mktemp -d "$LAB_CACHE/build.XXXXXX")
		cp "$here"/noble/package*.json "$built"
		(cd "$built" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) || die "npm ci failed; see above"
		mv "$built/node_modules" "$cached"
		rm -rf "$built"
	fi
	exec {lock}>&-
	mkdir -p "$dir/node_modules"
	cp "$here/noble/phone.js" "$dir"
	tar -C "$cached" -c --mode=go+rX,go-w --exclude='darwin-*' --exclude='win32-*' --exclude='android-*' --exclude='linux-arm' \
		@stoprocent debug ms node-gyp-build | tar -C "$dir/node_modules" -x
}

# installed FOLDER: this tree's wifiprovd. Most tests are without NetworkManager: as on such a gateway, its owner has put two
# of the examples in place.
installed() {
	local dir=$1
	make -s -C "$top" install DESTDIR="$dir" GOARCH="$arch" >&2
	install -D -m 0644 "$top/packaging/systemd/80-wifiprovd-wlan0.network" -t "$dir/usr/lib/systemd/network"
	install -D -m 0644 "$top/packaging/networkmanager/wifiprovd.conf" -t "$dir/usr/lib/NetworkManager/conf.d"
}

# overlay FOLDER COMMAND ...: fills the folder with what a run adds to the image. The kernel unpacks it over the
# image, so it must not hold a folder where the image has a symbolic link (/lib, /bin, /sbin).
overlay() {
	local dir=$1 wants=$1/etc/systemd/system/multi-user.target.wants
	shift
	cp -r "$here/machine/." "$dir"
	if [ -n "${LAB_PACKAGES:-}" ]; then
		cp -r "$LAB_PACKAGES" "$dir/usr/lib/lab/packages"
	else
		installed "$dir"
		ln -sf /usr/lib/systemd/system/wifiprovd.service "$wants/"
	fi
	(
		cd "$top"
		export CGO_ENABLED=0 GOARCH=$arch
		go test -c -tags lab -o "$dir/usr/lib/lab/lab.test" ./test/lab
		for helper in rescan remote; do go build -tags lab -ldflags '-s -w' -o "$dir/usr/lib/lab/$helper" "./test/lab/$helper"; done
		go build -ldflags '-s -w' -o "$dir/usr/lib/lab/claim-token" ./examples/claim-token
	)
	{
		printf 'export RUN=%q LAB_FULL=%q LAB_BACKEND=%q LAB_LONG=%q LAB_SEED=%q LAB_ONCE=%q\n' "${RUN:-}" "${LAB_FULL:-}" "${LAB_BACKEND:-}" "${LAB_LONG:-}" "${LAB_SEED:-}" "${LAB_ONCE:-}"
		printf '%q ' "$@"
	} >"$dir/usr/lib/lab/command"
	if [ -n "${LAB_OVERLAY:-}" ]; then cp -r "$LAB_OVERLAY/." "$dir"; fi
	chmod -R go+rX,go-w "$dir"
	for name in lib bin sbin; do
		[ ! -e "$dir/$name" ] || die "make install puts files under /$name; they belong under /usr/$name"
	done
}

# boot: starts the machine and streams its console until it switches off, reboots, crashes or runs out of time.
# norandmaps: qemu translates code by its virtual address, so where each process has addresses of its own, it translates the
# same libraries again and again (seen: 1.4 million blocks in the first minute, 0.4 million without).
boot() {
	timeout --foreground -k 5 "$deadline" "${qemu[@]}" -m 2048 -smp 1 -display none -vga none -serial stdio -no-reboot -nic "$nic" \
		-kernel "$image/vmlinuz" -initrd "$tmp/initrd" -device virtio-rng-pci \
		-drive "file=$tmp/disk,format=raw,if=virtio,cache=unsafe" \
		-virtfs "local,path=$out,mount_tag=out,security_model=none" \
		-append "console=$console quiet TERM=dumb panic=-1 oops=panic norandmaps net.ifnames=0 mitigations=off audit=0 cryptomgr.notests lsm=capability systemd.show_status=0 rdinit=/usr/lib/lab/init" \
		</dev/null | sed -u 's/\r$//' | tee -a "$out/console.txt"
}

nic=none sleep=off
if [ -n "${LAB_FORWARD:-}" ]; then
	nic=user,model=virtio-net-pci,restrict=on sleep=on
	for pair in $LAB_FORWARD; do nic+=,hostfwd=tcp:127.0.0.1:$pair; done
fi
if kvm_works; then qemu+=(-accel kvm -cpu host); else qemu+=(-accel tcg -icount "shift=1,sleep=$sleep" -rtc clock=vm); fi
mkdir "$tmp/overlay"
overlay "$tmp/overlay" "$@"
cp "$image/base.cpio" "$tmp/initrd"
if needs_node "$tmp/overlay" "$@"; then
	noble "$tmp/overlay/usr/lib/lab/noble"
	cat "$image/node.cpio" >>"$tmp/initrd"
fi
if [ -n "${LAB_PACKAGES:-}" ]; then cat "$image/dpkg.cpio" >>"$tmp/initrd"; fi
if needs_tpm "$tmp/overlay" "$@"; then cat "$image/tpm.cpio" >>"$tmp/initrd"; fi
if needs_python "$tmp/overlay" "$@"; then
	install -D -m 0644 "$here/homeassistant/phone.py" -t "$tmp/overlay/usr/lib/lab/homeassistant"
	cat "$image/python.cpio" >>"$tmp/initrd"
fi
(cd "$tmp/overlay" && find . -print0 | cpio --null -o -H newc --owner=0:0 --quiet) >>"$tmp/initrd"
truncate -s 512M "$tmp/disk"

while true; do
	boot || case $? in
	124 | 137) die "no result after $deadline s; killed; see $out" ;;
	*) die "qemu failed" ;;
	esac
	status=$(cat "$out/status" 2>/dev/null || true)
	rm -f "$out/status"
	case $status in
	reboot) say "the machine reboots" ;;
	[0-9]*) break ;;
	'') die "the machine crashed; see $out/console.txt" ;;
	*) die "a status that is none: $status" ;;
	esac
done
say "exit status $status; console and journal are in $out"
exit "$status"
