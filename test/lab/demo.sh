#!/bin/bash
# Shows a gateway being provisioned, from both sides, in the lab's machine: the phone's steps and the gateway's
# journal as they happen, then a reboot from which the gateway comes back by itself.
#
# Usage: demo.sh SUITE [ARCH]    (as for run.sh)
set -euo pipefail
here=$(dirname "$(realpath "$0")")
suite=$1 arch=${2:-amd64}
export LAB_OVERLAY=$here/demo
export LAB_OUT=${LAB_OUT:-$here/../../build/lab/demo-$suite-$arch}
"$here/run.sh" "$suite" "$arch" -- /usr/lib/lab/demo
(cd "$here" && go run ./picture) <"$LAB_OUT/console.txt" >"$LAB_OUT/demo.svg"
echo "The same as a picture: $(realpath "$LAB_OUT/demo.svg")"
