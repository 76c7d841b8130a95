#!/bin/bash
# Tests the packages, as far as that needs no machine: two builds of the tree in two folders are the same bytes, lintian finds
# nothing, what is installed is what should be, and the programs for other architectures start (in qemu's user mode).
#
# Usage: check.sh     GO as for packages.sh
set -euo pipefail
top=$(realpath "$(dirname "$0")/..")
cd "$top"
# shellcheck source=/dev/null
. test/lab/lib.sh
need git=git lintian=lintian rpm=rpm gpg=gpg dpkg-scanpackages=dpkg-dev qemu-arm-static=qemu-user-static
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)}"
export SOURCE_DATE_EPOCH
version=0.0.1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "packages: $*" >&2; exit 1; }

# The tree somewhere else, without git.
mkdir "$tmp/elsewhere" "$tmp/again"
git ls-files -z -co --exclude-standard | while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
	tar -c --null -T - | tar -x -C "$tmp/elsewhere"
packaging/packages.sh "$tmp/packages" "$version" armhf arm64 amd64 >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "they cannot be built"; }
"$tmp/elsewhere/packaging/packages.sh" "$tmp/again" "$version" amd64 >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "not without git"; }
for file in "$tmp/again"/*; do
	case $file in */SHA256SUMS) continue ;; esac
	cmp "$file" "$tmp/packages/${file##*/}" || fail "two builds differ"
done
(cd "$tmp/packages" && sha256sum --quiet -c SHA256SUMS)
count=$(grep -c . "$tmp/packages/SHA256SUMS")
[ "$count" = 9 ] || fail "$count files in SHA256SUMS, not 9"

lintian --allow-root --fail-on error,warning "$tmp/packages"/*.deb >"$tmp/lintian" 2>&1 || { cat "$tmp/lintian"; fail "lintian complains"; }

# What a package must not bring: whatever takes the interface from another, and a conffile, about which dpkg could ask.
dpkg-deb -c "$tmp/packages/wifiprovd_${version}_amd64.deb" >"$tmp/list"
if grep -E '/NetworkManager/|\.network$' "$tmp/list" | grep -v /examples/; then fail "it takes the interface from others"; fi
grep -q ' ./etc/wifiprovd/wifiprovd.yaml.d/$' "$tmp/list" || fail "no folder for makers"
dpkg-deb --ctrl-tarfile "$tmp/packages/wifiprovd_${version}_amd64.deb" | tar -x -C "$tmp" ./conffiles
if grep -q . "$tmp/conffiles"; then fail "it has conffiles"; fi

# An .rpm owns its folders, so that its removal leaves none.
rpm -qlp "$tmp/packages/wifiprovd-$version-1.x86_64.rpm" >"$tmp/list"
for folder in /etc/wifiprovd /usr/share/wifiprovd /usr/share/doc/wifiprovd/examples/units; do
	grep -qx "$folder" "$tmp/list" || fail "the .rpm does not own $folder"
done

# starts QEMU ARCH: the programs of a package run, and say their version; the shipped files of the configuration are valid.
starts() {
	local root=$tmp/$2 status=0
	dpkg-deb -x "$tmp/packages/wifiprovd_${version}_$2.deb" "$root"
	[ "$("$1" "$root/usr/sbin/wifiprovd" -version)" = "wifiprovd $version" ] || fail "$2: -version"
	"$1" "$root/usr/bin/wifiprovctl" version | grep -qF "$version" || fail "$2: wifiprovctl version"
	for file in empty wifiprovd; do "$1" "$root/usr/sbin/wifiprovd" -check -config "$root/usr/share/wifiprovd/$file.yaml" >/dev/null; done
	"$1" "$root/usr/bin/wifiprovctl" doctor --timeout 10s --json >"$tmp/doctor" 2>/dev/null || status=$?
	if [ "$status" -gt 1 ] || ! grep -q '"check"' "$tmp/doctor"; then fail "$2: doctor ends with $status: $(cat "$tmp/doctor")"; fi
}
starts qemu-aarch64-static arm64
starts qemu-arm-static armhf

# The recipes for images: what they list, or install, is what make install-only installs; versions and checksums are right.
# Where bitbake and Buildroot would put in their variables, this does.
make -s build out="$tmp/bin"
make -s install-only out="$tmp/bin" DESTDIR="$tmp/installed"
files() { (cd "$1" && { find . -type f -o -type d -empty; } | sort); }
recipe=$(echo packaging/yocto/meta-wifiprovd/recipes-connectivity/wifiprovd/wifiprovd_*.bb)
sed -n '/^FILES:/,/^"$/p' "$recipe" | sed -nE -e 's#\$\{bindir}#/usr/bin#; s#\$\{sbindir}#/usr/sbin#; s#\$\{sysconfdir}#/etc#; s#\$\{mandir}#/usr/share/man#' \
	-e 's#\$\{docdir}#/usr/share/doc#; s#\$\{datadir}#/usr/share#; s#\$\{nonarch_libdir}#/usr/lib#; s#\$\{systemd_system_unitdir}#/usr/lib/systemd/system#' \
	-e 's#^ +(/[^ ]*) \\$#.\1#p' | sort >"$tmp/listed"
files "$tmp/installed" | diff "$tmp/listed" - || fail "the recipe for Yocto lists other files (<) than are installed (>)"
grep -qF "LICENSE;md5=$(md5sum LICENSE | cut -d' ' -f1)" "$recipe" || fail "Yocto: LIC_FILES_CHKSUM"

mkdir "$tmp/buildroot"
cp -r packaging Makefile cmd internal configs examples go.mod "$tmp/buildroot"
cp -r "$tmp/bin" "$tmp/buildroot/bin"
mk=packaging/buildroot/package/wifiprovd/wifiprovd.mk
make -s -f - "$tmp/buildroot/.installed" TARGET_DIR="$tmp/target" <<-EOF # as Buildroot calls it: by a stamp in the folder
	golang-package =
	include $mk
	%/.installed: ; \$(WIFIPROVD_INSTALL_TARGET_CMDS)
EOF
diff <(files "$tmp/installed") <(files "$tmp/target") || fail "Buildroot installs other files (>)"
grep -qF "$(sha256sum LICENSE | cut -d' ' -f1)  LICENSE" "${mk%.mk}.hash" || fail "Buildroot: the checksum of LICENSE"
release=$(sed -n 's/^RELEASE ?= //p' Makefile)
grep -qxF "WIFIPROVD_VERSION = $release" "$mk" || fail "Buildroot's recipe is not of $release"
[ "${recipe##*_}" = "$release.bb" ] || fail "the recipe for Yocto is not of $release"

# The repository, as apt sees it: signed by the key it is told of, and by no other. apt has folders of its own.
GNUPGHOME=$tmp/gnupg
export GNUPGHOME
mkdir -m 700 "$GNUPGHOME"
trap 'gpgconf --kill all || true; rm -rf "$tmp"' EXIT
for name in maker stranger; do
	gpg --batch --quiet --passphrase '' --quick-generate-key "$name <$name@example.invalid>" ed25519 sign never 2>/dev/null
done
packaging/repo.sh "$tmp/repo" maker@example.invalid "$tmp/packages" >/dev/null
gpg --batch --quiet --export stranger@example.invalid >"$tmp/stranger.gpg"
mkdir -p "$tmp/apt/lists/partial" "$tmp/apt/cache/archives/partial"
touch "$tmp/apt/status"
apt_with() {
	echo "deb [arch=armhf signed-by=$1] file:$tmp/repo stable main" >"$tmp/apt/sources.list"
	shift
	apt-get -o Dir::Etc::SourceList="$tmp/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$tmp/apt/lists" \
		-o Dir::State::Status="$tmp/apt/status" -o Dir::Cache="$tmp/apt/cache" -o APT::Architecture=armhf -o APT::Architectures::=armhf \
		-o APT::Sandbox::User="$(id -un)" -o APT::Update::Error-Mode=any "$@" 2>&1
}
if apt_with "$tmp/stranger.gpg" update >"$tmp/log"; then fail "apt takes what a stranger has not signed"; fi
apt_with "$tmp/repo/wifiprovd.gpg" update >"$tmp/log" || { cat "$tmp/log"; fail "apt does not take the repository"; }
apt_with "$tmp/repo/wifiprovd.gpg" -qq --print-uris download wifiprovd | grep -q "wifiprovd_${version}_armhf.deb" || fail "apt does not find the package"

echo "packages: reproducible, clean, they start, and apt takes them"
