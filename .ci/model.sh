#!/bin/sh
# Check the model of the approval and execution protocol exhaustively (docs/model), where SPIN is installed.
set -eu
cd "$(dirname "$0")/.."

for tool in spin gcc bc; do
    command -v "$tool" >/dev/null 2>&1 && continue
    echo "docs/model: not run, $tool is not installed (Debian, Ubuntu: apt install spin gcc bc)"
    exit 0
done
docs/model/main.sh | awk '
    { print }
    / err=0 / { held++ }
    END {
        if (held != NR || NR == 0) { print "docs/model: " NR - held " of " NR " configurations do not hold"; exit 1 }
        print "docs/model: all " NR " configurations hold"
    }'
