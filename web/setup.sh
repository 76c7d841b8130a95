#!/bin/bash
# Gets what web/ is built and tested with from npm, by the lock file, unless it is there.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")"
stamp=node_modules/.package-lock.sha256
want=$(sha256sum package-lock.json package.json | sha256sum)
exec 9>"${TMPDIR:-/tmp}/wifiprovd-web-$(id -u).lock"
flock 9
[ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || exit 0
npm ci --no-audit --no-fund --loglevel=error >&2
echo "$want" >"$stamp"
