#!/bin/bash
# Makes every neighbour of the daemon fail, from every state, in one run of the lab's machine, and prints the table
# of docs/reliability.md.
#
# Usage: [LAB_FULL=TIMES] faults.sh SUITE [ARCH]    (as for run.sh; TIMES is how often each fault is tried, 3)
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
suite=$1 arch=${2:-amd64}
export LAB_OUT=${LAB_OUT:-$top/build/lab/faults-$suite-$arch} LAB_DEADLINE=${LAB_DEADLINE:-7200} LAB_FULL=${LAB_FULL:-3}

status=0
RUN=${RUN:-'^(TestFaults|TestInstancesTaken|TestOtherAgent)$'} "$here/run.sh" "$suite" "$arch" || status=$?
echo
echo '| Fault | State | Times | Recovered | Slowest, s |'
echo '|---|---|---|---|---|'
cat "$LAB_OUT/faults.md"
exit "$status"
