#!/bin/bash
# Tests the packages in a machine of their own, to which nothing is installed before: fresh, upgraded, removed, purged.
#
# Usage: packages.sh SUITE [ARCH]     as for run.sh; GO as for packaging/packages.sh
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
# shellcheck source=/dev/null
. "$here/lib.sh"
suite=$1 arch=${2:-amd64}
need dpkg-deb=dpkg
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# variant FROM VERSION: unpacks a package, to be changed, and gives it another version.
variant() {
	dpkg-deb -R "$1" "$tmp/tree"
	sed -i "s/^Version: .*/Version: $2/" "$tmp/tree/DEBIAN/control"
	grep -q . "$tmp/tree/DEBIAN/conffiles" || rm "$tmp/tree/DEBIAN/conffiles" # nfpm makes an empty one
}

# pack NAME: builds what variant has unpacked.
pack() {
	dpkg-deb --root-owner-group -Zgzip -b "$tmp/tree" "$tmp/debs/$1.deb" >/dev/null
	rm -rf "$tmp/tree"
}

"$top/packaging/packages.sh" "$tmp/packages" 0.5.0 "$arch" >/dev/null 2>"$tmp/log" || { cat "$tmp/log"; die "no packages"; }
mkdir "$tmp/debs"
cp "$tmp/packages"/*.deb "$tmp/debs/this.deb"

# What 0.4 was: every setting in a conffile, and wlan0 taken from NetworkManager.
variant "$tmp/debs/this.deb" 0.4.0
rm -r "$tmp/tree/usr/share/wifiprovd" "$tmp/tree/DEBIAN/preinst"
install -D -m 0644 "$top/configs/wifiprovd.yaml" -t "$tmp/tree/etc/wifiprovd"
install -D -m 0644 "$top/packaging/systemd/80-wifiprovd-wlan0.network" -t "$tmp/tree/usr/lib/systemd/network"
install -D -m 0644 "$top/packaging/networkmanager/wifiprovd.conf" -t "$tmp/tree/usr/lib/NetworkManager/conf.d"
echo /etc/wifiprovd/wifiprovd.yaml >"$tmp/tree/DEBIAN/conffiles"
pack older

# What a later one will be: other defaults, another unit.
variant "$tmp/debs/this.deb" 0.6.0
sed -i 's/^  scan_idle: true/  scan_idle: false/' "$tmp/tree/usr/share/wifiprovd/wifiprovd.yaml"
echo '# 0.6' | tee -a "$tmp/tree/usr/share/wifiprovd/empty.yaml" >>"$tmp/tree/usr/lib/systemd/system/wifiprovd.service"
pack newer

export LAB_PACKAGES=$tmp/debs LAB_OUT=${LAB_OUT:-$top/build/lab/packages-$suite-$arch}
if [ "$arch" != amd64 ]; then RUN=${RUN:-^TestPackagesNew}; fi
RUN=${RUN:-^TestPackages} "$here/run.sh" "$suite" "$arch"
