#!/bin/bash
# Says which tests failed in the machines' last runs, and their last words, at the end of a long output: the journals are further up.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."
for console in build/lab/*/console.txt; do
	awk -v machine="$(basename "$(dirname "$console")")" '
		/^=== RUN / { told = 0 }
		/^ +[a-z0-9_]+_test\.go:[0-9]+: / && !/^ +gateway_test\.go:/ { words[told++] = substr($0, 1, 300) }
		/^ *--- FAIL: |^panic: / { print machine ": " $0; for (i = told > 4 ? told - 4 : 0; i < told; i++) print words[i] }' "$console"
done
