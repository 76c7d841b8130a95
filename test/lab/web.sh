#!/bin/bash
# Has headless Chromium, on this machine, drive the page of web/ against the BlueZ of the lab's machine, and so a gateway in it.
#
# Usage: web.sh SUITE [ARCH]    (as for run.sh)
#
# The machine's system bus is forwarded to a port here, where Chromium takes it for its own. build/lab/web-SUITE-ARCH/ then
# holds the pictures of the page, beside what run.sh leaves. NODE_TEST has more options for node, such as
# --test-name-pattern=REGEXP.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
# shellcheck source=/dev/null
. "$here/lib.sh"
suite=$1 arch=${2:-amd64}
if [ "$arch" = arm64 ]; then say "no Bluetooth in an arm64 machine: nothing to do"; exit; fi
export LAB_OUT=${LAB_OUT:-$top/build/lab/web-$suite-$arch}

need node=nodejs npm=npm chromium=chromium setsid=util-linux
"$top/web/setup.sh"
(cd "$top/web" && node build.mjs page lab)

free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }
bus=$(free_port) scripts=$(free_port)

machine=
# A session of its own, so that its qemu ends with it.
end() { [ -z "$machine" ] || { kill -- "-$machine" && wait "$machine"; } 2>/dev/null || true; }
trap end EXIT
LAB_OVERLAY=$here/web LAB_CLIENTS=1 LAB_FORWARD="$bus-:7000 $scripts-:7001" setsid "$here/run.sh" "$suite" "$arch" -- /usr/lib/lab/remote </dev/null &
machine=$!

# shellcheck disable=SC2086 # several options
LAB_BUS=$bus LAB_SCRIPTS=$scripts LAB_MACHINE=$machine node --test --test-reporter=spec ${NODE_TEST:-} "$top/web/lab/.built/page.lab.mjs"
wait "$machine"
machine=
