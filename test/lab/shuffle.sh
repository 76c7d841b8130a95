#!/bin/bash
# Runs the lab's quick tests many times in one boot of the lab's machine, each time in another random order. Boots, faults
# and attacks are left out: they have long forms of their own (make faults, attack, soak).
#
# Usage: [TIMES=10] [SEED=number] [RUN=regexp] shuffle.sh SUITE [ARCH]    (as for run.sh)
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
suite=$1 arch=${2:-amd64}
times=${TIMES:-10} seed=${SEED:-$(date +%s)}
export LAB_OUT=${LAB_OUT:-$top/build/lab/shuffle-$suite-$arch} LAB_DEADLINE=${LAB_DEADLINE:-$((600 + times * 1800))}

echo "shuffle: $times times, the first with seed $seed"
# shellcheck disable=SC2016 # the machine's shell expands it
exec "$here/run.sh" "$suite" "$arch" -- bash -c 'status=0
for ((i = 0; i < $1; i++)); do
	/usr/lib/lab/lab.test -test.v -test.timeout=0 -test.shuffle=$(($2 + i)) -test.run="$RUN" \
		-test.skip="^Test(Boot|Canary|Faults|Attack|Central|PasskeyLockout|Killed|Soak)" || status=1
done
/usr/lib/lab/lab.test -test.v -test.run "^TestCanary" || status=1
exit $status' shuffle "$times" "$seed"
