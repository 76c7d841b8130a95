#!/bin/bash
# Builds the lab's image, or finds it in the cache, and prints its folder.
#
# Usage: image.sh SUITE [ARCH]      SUITE is bookworm, trixie or sid; ARCH is amd64 (default) or arm64
#
# The image is a small Debian that runs from memory: the real BlueZ, wpa_supplicant, hostapd and systemd, and
# the kernel's virtual radios (hci_vhci for Bluetooth LE, mac80211_hwsim for Wi-Fi). The folder holds
#   vmlinuz     Debian's kernel
#   base.cpio   the root file system, as an initial RAM file system
#   node.cpio   what Node.js adds to it: half as much again, and only some runs need it
#   dpkg.cpio   what dpkg needs to install a package: Perl for the maintainer scripts, and the lists of what is installed
#   python.cpio the same of Python, with Home Assistant's client of Improv, and D-Bus; bookworm has none
#   tpm.cpio    a TPM in software, and the libraries by which systemd speaks to one
# LAB_CACHE names the cache's folder. An image is built again when this script changes, and after 30 days. Those of other
# versions of this script, which other working trees may be using, stay for as long.
# Packages come from where the machine's own apt gets Debian's, else from mmdebstrap's default.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/lib.sh"

packages=systemd-sysv,dbus,udev,kmod,procps,iproute2,bluez,bluez-test-tools,wpasupplicant,hostapd,iw,wireless-regdb,dnsmasq-base,socat,network-manager,nodejs

# What bookworm does not have, Home Assistant's client of Improv, and what examples in Python use.
newer=python3-py-improv-ble-client,python3-dbus,python3-gi

# A TPM. The libraries have other names from trixie on: 64-bit time.
tpm=swtpm,libtss2-esys-3.0.2-0,libtss2-rc0,libtss2-mu0,libtss2-tcti-device0
newer_tpm=swtpm,libtss2-esys-3.0.2-0t64,libtss2-rc0t64,libtss2-mu-4.0.1-0t64,libtss2-tcti-device0t64

# Modules the lab loads. Their dependencies come along.
modules=(mac80211_hwsim hci_vhci hci_uart bluetooth uhid bridge ccm ctr gcm cmac ecdh_generic algif_hash algif_skcipher
	uinput evdev input_leds dummy tpm_vtpm_proxy virtio_pci virtio_blk virtio_net virtio_rng ext4 9p 9pnet_virtio af_packet autofs4)

# customise ROOT OUT TOOLS: turns a freshly installed ROOT into the image's files in OUT. TOOLS-objcopy is its objcopy.
customise() {
	local root=$1 out=$2 kernel unit
	kernel=$(basename "$root"/usr/lib/modules/*)
	cp "$root/boot/vmlinuz-$kernel" "$out/vmlinuz"
	strip_modules "$root" "$kernel" "$3"
	(
		cd "$root"
		dpkg=(usr/bin/perl usr/lib/*/perl-base var/lib/dpkg/info)
		rm -f var/lib/dpkg/info/*.md5sums
		find "${dpkg[@]}" -print0 | cpio --null -o -H newc --quiet >"$out/dpkg.cpio"
		rm -rf boot/* var/cache/* var/lib/apt/lists var/lib/dpkg/info var/log/*
	)
	# What nothing here uses and each boot would unpack: a third of all.
	(cd "$root" && rm -rf usr/bin/perl* usr/share/perl* usr/lib/*/perl* usr/lib/*/libperl* usr/lib/*/gconv usr/lib/udev/hwdb.* usr/share/zoneinfo)
	echo gateway >"$root/etc/hostname"
	# One identity, so that the journal of the boot before is found after a reboot.
	echo 5fd5bb2ee6a14c6ea0a3b0c1d8a1c0de >"$root/etc/machine-id"
	# The console belongs to the run, not to a login prompt. logind's Inhibit answers with a file descriptor,
	# which a bus connection forwarded over a socket cannot carry.
	for unit in serial-getty@.service getty.target systemd-logind.service dbus-org.freedesktop.login1.service \
		apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer ldconfig.service e2scrub_all.timer e2scrub_reap.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	# NetworkManager is there to be started by a test, and by nothing else.
	rm -f "$root"/etc/systemd/system/*.wants/NetworkManager*.service "$root"/etc/systemd/system/dbus-org.freedesktop.nm-dispatcher.service
	ln -sf /usr/lib/systemd/system/systemd-networkd.service "$root/etc/systemd/system/multi-user.target.wants/"
	# Of Node.js, what nothing else here uses.
	(
		cd "$root"
		rm -rf usr/share/nodejs/corepack
		node=(usr/bin/node* usr/share/nodejs usr/lib/*/libnode.so* usr/lib/*/libicu*)
		find "${node[@]}" -print0 | cpio --null -o -H newc --quiet >"$out/node.cpio"
		rm -rf "${node[@]}"
		rm -rf usr/share/javascript
		if [ -e usr/bin/python3 ]; then
			python=(usr/bin/python3* usr/bin/py3* usr/share/python3 usr/lib/python3* usr/lib/*/girepository-1.0 usr/lib/*/libgirepository*)
			find "${python[@]}" -print0 | cpio --null -o -H newc --quiet >"$out/python.cpio"
			rm -rf "${python[@]}"
		fi
		software=(usr/bin/swtpm* usr/lib/*/swtpm usr/lib/*/libtpms.so* usr/lib/*/libtss2-*.so*)
		find "${software[@]}" -print0 | cpio --null -o -H newc --quiet >"$out/tpm.cpio"
		rm -rf "${software[@]}" usr/bin/openssl
		find . -xdev -path './dev/*' -prune -o -print0 | cpio --null -o -H newc --quiet >"$out/base.cpio"
	)
}

# strip_modules ROOT KERNEL TOOLS: keeps the modules the lab loads, and all of the kernel's crypto: Bluetooth pairing
# needs drbg and jitterentropy behind ecdh, which no dependency line names.
strip_modules() {
	local root=$1 kernel=$2 tree=$1/usr/lib/modules/$2 kept=$1/usr/lib/modules.kept module
	mkdir "$kept"
	for module in "${modules[@]}"; do
		# Fails for what is built in, or does not exist for this architecture.
		modprobe -d "$root" -S "$kernel" --show-depends "$module" 2>/dev/null | awk '$1 == "insmod" {print $2}' || true
	done | sed "s#^.*/lib/modules/$kernel/##" >"$kept/.list"
	(
		cd "$tree"
		find kernel/crypto kernel/lib kernel/arch/*/crypto -name '*.ko*' >>"$kept/.list"
		sort -u "$kept/.list" | tar -cf - -T - modules.builtin modules.builtin.modinfo modules.order
	) | tar -xf - -C "$kept"
	rm -rf "$tree" "$kept/.list"
	mv "$kept" "$tree"
	# Uncompressed and without type information for BPF programs: the emulated machine boots in two thirds of the time.
	find "$tree" -name '*.ko.xz' -exec unxz {} +
	find "$tree" -name '*.ko' -exec "$3-objcopy" -R .BTF {} \;
	depmod -b "$root" "$kernel"
}

# mirrors SUITE: lines of sources.list, from the machine's own apt configuration. sid has no security updates of its own.
mirrors() {
	apt-get indextargets --format "\$(LABEL) \$(REPO_URI)" 'Created-By: Packages' 2>/dev/null | sort -u |
		while read -r label uri; do
			case $label in
			Debian) printf 'deb %s %s main\n' "$uri" "$1" ;;
			Debian-Security) [ "$1" = sid ] || printf 'deb %s %s-security main\n' "$uri" "$1" ;;
			esac
		done
}

# emulate ARCH: lets this machine run programs of another architecture.
emulate() {
	need qemu-aarch64-static=qemu-user-static update-binfmts=binfmt-support arch-test=arch-test
	if ! arch-test "$1" >/dev/null; then # no systemd did it at the installation
		[ -e /proc/sys/fs/binfmt_misc/register ] || as_root mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
		as_root update-binfmts --enable >&2
	fi
}

build() {
	local suite=$1 arch=$2 image=$3 tools=x86_64-linux-gnu tmp sources=() options=()
	[ "$arch" = amd64 ] || tools=aarch64-linux-gnu
	need mmdebstrap=mmdebstrap cpio=cpio modprobe=kmod zstd=zstd unxz=xz-utils "$tools-objcopy=binutils-${tools//_/-}" \
		/usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring
	[ "$(id -u)" -eq 0 ] || need newuidmap=uidmap
	[ "$arch" = "$(dpkg --print-architecture)" ] || emulate "$arch"
	if [ "$suite" = bookworm ]; then packages+=,$tpm; else packages+=,$newer,$newer_tpm; fi
	mapfile -t sources < <(mirrors "$suite")
	if apt-config dump Acquire::Check-Valid-Until | grep -q '"false"'; then
		options+=(--aptopt='Acquire::Check-Valid-Until "false"') # as this machine has it, for the same mirror
	fi
	tmp=$(mktemp -d "$LAB_CACHE/build.XXXXXX")
	# shellcheck disable=SC2064 # the folder of this run
	trap "rm -rf '$tmp'" EXIT
	chmod 755 "$tmp"
	# The hook runs in mmdebstrap's own user namespace, where files belong to root even if the caller does not.
	mmdebstrap --quiet --format=null --architectures="$arch" --variant=minbase --include="$packages,linux-image-$arch" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' "${options[@]}" \
		--customize-hook="'$(realpath "$0")' --customise \"\$1\" '$tmp' '$tools'" \
		"$suite" - "${sources[@]}" >&2
	mv "$tmp" "$image"
}

if [ "${1:-}" = --customise ]; then
	customise "$2" "$3" "$4"
	exit
fi

suite=${1:-} arch=${2:-amd64}
case $suite/$arch in
bookworm/amd64 | bookworm/arm64 | trixie/amd64 | trixie/arm64 | sid/amd64 | sid/arm64) ;;
*) die "usage: image.sh bookworm|trixie|sid [amd64|arm64]" ;;
esac
LAB_CACHE=${LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wifiprovd-lab}
mkdir -p "$LAB_CACHE"
image=$LAB_CACHE/$suite-$arch-$(sha256sum "$0" | cut -c1-12)
exec 9>"$LAB_CACHE/$suite-$arch.lock"
flock 9
if [ -z "$(find "$image" -maxdepth 0 -mtime -30 2>/dev/null)" ]; then
	say "building the $suite $arch image, once (about a minute; arm64 on another architecture a quarter of an hour)"
	find "$LAB_CACHE" -maxdepth 1 -name "$suite-$arch-*" -mtime +30 -exec rm -rf {} +
	rm -rf "$image"
	build "$suite" "$arch" "$image"
	say "built $image ($(du -sh "$image" | cut -f1))"
fi
echo "$image"
