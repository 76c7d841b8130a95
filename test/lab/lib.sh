# shellcheck shell=bash
# What image.sh and run.sh share. To be sourced.

PATH=$PATH:/usr/sbin:/sbin # where an ordinary user's has no mkfs and modprobe

# say MESSAGE: a line of progress, apart from what a script returns on standard output.
say() { echo "lab: $*" >&2; }

# die MESSAGE: the same, and the end.
die() { say "$*"; exit 1; }

# as_root COMMAND ...: runs it as root, by sudo if need be.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		command -v sudo >/dev/null || die "this needs root: $*"
		sudo "$@"
	fi
}

# need FILE=PACKAGE ...: installs the Debian packages of the commands, or files with a full path, that are missing.
# One at a time: apt-get does not wait for another apt-get's update.
need() {
	local lock
	exec {lock}>"${TMPDIR:-/tmp}/wifiprovd-lab-$(id -u).lock"
	flock "$lock"
	install_missing "$@"
	exec {lock}>&-
}

install_missing() {
	local file pair missing=()
	for pair in "$@"; do
		file=${pair%%=*}
		command -v "$file" >/dev/null || [[ $file == /* && -e $file ]] || missing+=("${pair#*=}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing Debian packages with apt-get: ${missing[*]}"
	as_root apt-get update -qq >&2 || say "apt-get update failed; trying with the package lists that are here"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		-o DPkg::Lock::Timeout=300 "${missing[@]}" >&2
}
