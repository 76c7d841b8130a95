#!/bin/bash
# Builds the packages: for each architecture a .deb, an .rpm (not for armhf) and a tarball, then one SBOM and SHA256SUMS.
#
# Usage: packages.sh OUT VERSION ARCH ...     ARCH is amd64, arm64 or armhf
#
# The same tree gives the same bytes, wherever it lies: all times are SOURCE_DATE_EPOCH, by default the last commit's.
# GO is the go command.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
export LC_ALL=C TZ=UTC
umask 022

out=$1 version=$2
shift 2
: "${GO:=$(command -v go || echo /usr/local/go/bin/go)}"
# Newer ones need modules that are not everywhere to be had.
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH
date=@$SOURCE_DATE_EPOCH
mkdir -p "$out"
out=$(realpath "$out")
rm -f "$out"/*.deb "$out"/*.rpm "$out"/*.tar.gz "$out"/*.json "$out/SHA256SUMS"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# gzipped FILE ...: without name and time.
gzipped() { gzip -9n "$@"; }

# copyright PROGRAM ...: our licence, and those of all that is linked in, which want to be passed on.
copyright() {
	local module sum dir
	echo "wifiprovd: https://github.com/wifiprovd/wifiprovd"
	echo "Copyright: the wifiprovd authors"
	echo "License: Apache-2.0, the file LICENSE here, or on Debian /usr/share/common-licenses/Apache-2.0"
	printf '\nThe programs contain the modules below, under their own licences.\n'
	"$GO" version -m "$@" | awk '$1 == "dep" {print $2 "@" $3}' | sort -u | while read -r module; do
		dir=$("$GO" mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
		for sum in "$dir"/LICEN[CS]E* "$dir"/NOTICE*; do
			[ -f "$sum" ] || continue
			printf '\n\n== %s, %s\n\n' "$module" "${sum##*/}"
			if grep -q 'Version 2.0, January 2004' "$sum"; then echo 'Apache-2.0, as above'; else cat "$sum"; fi
		done
	done
	printf '\n\n== Go, LICENSE\n\n'
	cat "$("$GO" env GOROOT)/LICENSE"
}

# changelog: what Debian wants of a package's.
changelog() {
	printf 'wifiprovd (%s) stable; urgency=medium\n\n  * New release; see CHANGELOG.md.gz.\n\n' "$version"
	printf ' -- wifiprovd maintainers <wifiprovd@users.noreply.github.com>  %s\n' "$(date -u -d "$date" -R)"
}

# stage DIR ARCH: what make install-only installs, with compressed man pages and the documents that a package has.
stage() {
	local dir=$1 arch=$2 programs=$1.programs go=(GOARCH="$2")
	if [ "$arch" = armhf ]; then go=(GOARCH=arm GOARM=6); fi # a Pi Zero is an ARMv6; Debian's armhf runs it too
	make -s build "${go[@]}" VERSION="$version" out="$programs" GO="$GO"
	make -s install-only DESTDIR="$dir" out="$programs"
	find "$dir/usr/share/man" -type f | while read -r page; do gzipped "$page"; done
	copyright "$programs"/* >"$dir/usr/share/doc/wifiprovd/copyright"
	changelog | gzipped >"$dir/usr/share/doc/wifiprovd/changelog.gz"
	cp LICENSE "$dir/usr/share/doc/wifiprovd/LICENSE"
	gzipped <CHANGELOG.md >"$dir/usr/share/doc/wifiprovd/CHANGELOG.md.gz"
	find "$dir" -exec touch -h -d "$date" {} +
}

# contents DIR: nfpm's list of what goes into a package, file by file: in a tree nfpm would own /usr/bin, too. In a .deb the
# owner's file of the configuration is made by postinst.
contents() {
	local config=/etc/wifiprovd/wifiprovd.yaml mode path only
	(cd "$1" && find . -type f -printf '%m %P\n' | sort -k 2) | while read -r mode path; do
		case /$path in
		"$config") continue ;;
		*/LICENSE) only='packager: rpm, ' ;; # Debian has it once for all packages
		*) only= ;;
		esac
		echo "  - {src: \"$1/$path\", dst: \"/$path\", ${only}file_info: {mode: 0$mode}}"
	done
	echo "  - {src: \"$1$config\", dst: $config, type: config|noreplace, packager: rpm}"
	echo "  - {dst: /etc/wifiprovd/wifiprovd.yaml.d, type: dir}"
	# rpm removes only the folders that a package owns.
	(cd "$1" && find . -type d -path '*/wifiprovd*' ! -name wifiprovd.yaml.d -printf '%P\n' | sort) | while read -r path; do
		echo "  - {dst: \"/$path\", type: dir, packager: rpm}"
	done
	echo "  - {src: packaging/lintian-overrides, dst: /usr/share/lintian/overrides/wifiprovd, packager: deb}"
}

# pack ARCH: all packages of an architecture.
pack() {
	local arch=$1 dir=$work/$1 named=$1 format
	stage "$dir" "$arch"
	if [ "$arch" = armhf ]; then named=arm6; fi # which nfpm calls armhf
	{
		sed -e "s/@ARCH@/$named/" -e "s/@VERSION@/$version/" -e "s/@DATE@/$(date -u -d "$date" +%FT%TZ)/" packaging/nfpm.yaml
		contents "$dir"
	} >"$work/$arch.rpm.yaml"
	grep -v '^license:' "$work/$arch.rpm.yaml" >"$work/$arch.deb.yaml" # no field of a .deb
	for format in deb rpm; do
		[ "$arch/$format" != armhf/rpm ] || continue
		"$GO" run "$nfpm" package --config "$work/$arch.$format.yaml" --packager "$format" --target "$out" >&2
	done
	tar -C "$dir" --sort=name --mtime="$date" --owner=0 --group=0 --numeric-owner --format=gnu -c . |
		gzipped >"$out/wifiprovd_${version}_linux_$arch.tar.gz"
}

for arch in "$@"; do pack "$arch"; done
"$GO" run ./packaging/sbom "$version" "$work/$1.programs"/* >"$out/wifiprovd_${version}_sbom.cdx.json"
cd "$out"
shopt -s nullglob
sha256sum -- *.deb *.rpm *.tar.gz *.json >SHA256SUMS
ls -l
