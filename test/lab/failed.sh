#!/bin/bash
# Says which tests failed in the machines' last runs, and their last words, at the end of a long output: the journals are further up.
#
# Usage: failed.sh MACHINE ...      MACHINE is a folder's name in build/lab
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."
for machine; do
	[ -e "build/lab/$machine/console.txt" ] || continue # it did not get that far
	awk -v machine="$machine" '
		/^=== RUN / { told = 0 }
		/^ +[a-z0-9_]+_test\.go:[0-9]+: / && !/^ +gateway_test\.go:/ { words[told++] = substr($0, 1, 300) }
		/^ *--- FAIL: |^panic: / { print machine ": " $0; for (i = told > 4 ? told - 4 : 0; i < told; i++) print words[i] }' "build/lab/$machine/console.txt"
done
