#!/bin/bash
# Makes the files of an apt repository, for a plain web server: the packages of a folder as suite "stable", component "main".
#
# Usage: repo.sh DIR KEY PACKAGES     KEY names a secret key in the caller's GnuPG home (GNUPGHOME)
#
# Packages that are in DIR already stay, so that it can be added to. With the same packages, key and SOURCE_DATE_EPOCH only
# the signatures' times differ.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022
usage() { echo 'usage: make repo DIR=folder KEY=key (after make packages)' >&2; exit 2; }
if [ $# -ne 3 ] || [ -z "$1" ] || [ -z "$2" ]; then usage; fi
dir=$1 key=$2 packages=$3
date=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" -R)

pool=pool/main/w/wifiprovd dist=dists/stable
mkdir -p "$dir/$pool"
cp "$packages"/*.deb "$dir/$pool"
cd "$dir"
rm -rf "$dist"
for arch in amd64 arm64 armhf; do
	folder=$dist/main/binary-$arch
	mkdir -p "$folder"
	dpkg-scanpackages --multiversion --arch "$arch" pool >"$folder/Packages" 2>/dev/null
	gzip -9nk "$folder/Packages"
done
{
	printf 'Origin: wifiprovd\nLabel: wifiprovd\nSuite: stable\nCodename: stable\nDate: %s\n' "$date"
	printf 'Architectures: amd64 arm64 armhf\nComponents: main\nDescription: wifiprovd\nSHA256:\n'
	(cd "$dist" && find main -type f | sort) | while read -r file; do
		printf ' %s %s %s\n' "$(sha256sum <"$dist/$file" | cut -d' ' -f1)" "$(stat -c %s "$dist/$file")" "$file"
	done
} >"$dist/Release"
sign() { gpg --batch --yes --quiet --local-user "$key" --armor --output "$@" "$dist/Release"; }
sign "$dist/Release.gpg" --detach-sign
sign "$dist/InRelease" --clear-sign
# What an owner puts into /usr/share/keyrings, for "signed-by" in the line of sources.list.
gpg --batch --quiet --export "$key" >wifiprovd.gpg
echo "to be served: $dir; deb [signed-by=/usr/share/keyrings/wifiprovd.gpg] https://SERVER stable main"
