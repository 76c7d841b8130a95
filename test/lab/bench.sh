#!/bin/bash
# Measures the daemon in one run of the lab's machine and prints a table. docs/performance.md says what it means.
#
# Usage: bench.sh SUITE [ARCH]    (as for run.sh)
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
suite=$1 arch=${2:-amd64}
export LAB_OUT=${LAB_OUT:-$top/build/lab/bench-$suite-$arch}

make -s -C "$top" build GOARCH=arm64
"$here/run.sh" "$suite" "$arch" -- \
	/usr/lib/lab/lab.test -test.run '^$' -test.bench '^Benchmark(Gateway|Managed|Protocols)$' -test.benchtime 1x -test.timeout 0
echo
echo "Host: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
cat "$LAB_OUT/bench.md"
echo "| Stripped arm64 binary | $(du -b "$top/build/arm64/wifiprovd" | awk '{printf "%.1f MiB", $1 / 1048576}') | | |"
echo
cat "$LAB_OUT/bench-managed.md"
echo
cat "$LAB_OUT/bench-protocols.md"
cp "$LAB_OUT/bench.svg" "$top/docs/performance-$suite.svg"
