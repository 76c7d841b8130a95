#!/bin/bash
# Provisions, checks, mistypes and erases a gateway many times in one boot of the lab's machine, in random order.
#
# Usage: [CYCLES=500] [SEED=number] soak.sh SUITE [ARCH]    (as for run.sh)
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
suite=$1 arch=${2:-amd64}
cycles=${CYCLES:-500} seed=${SEED:-$(date +%s)}
export LAB_OUT=${LAB_OUT:-$top/build/lab/soak-$suite-$arch} LAB_DEADLINE=${LAB_DEADLINE:-$((600 + cycles * 60))}

echo "soak: $cycles cycles, seed $seed"
exec "$here/run.sh" "$suite" "$arch" -- \
	env SOAK_CYCLES="$cycles" SOAK_SEED="$seed" /usr/lib/lab/lab.test -test.v -test.run '^TestSoak$' -test.timeout 0
