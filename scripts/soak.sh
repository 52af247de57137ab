#!/usr/bin/env bash
# Sends mixed load for a while and checks that memory, descriptors, processes, temporary files and latency stay flat:
# scripts/soak.sh [--minutes N]   (15 by default)
# The suite runs the same for some seconds (tests/system/test_soak.py). Prints what it saw.
set -euo pipefail

usage="usage: scripts/soak.sh [--minutes N]   (3 or more; 15 by default)"
minutes=15
case ${1-} in
'') ;;
-h | --help)
    echo "$usage"
    exit 0
    ;;
--minutes) minutes=${2-} ;;
*) minutes='' ;;
esac
if [[ ! $minutes =~ ^[0-9]{1,4}$ ]] || ((10#$minutes < 3)); then
    printf 'soak.sh: --minutes has to be a whole number, 3 or more.\n\n%s\n' "$usage" >&2
    exit 2
fi

. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"
ensure_venv dev
cd "$root"
SOAK_MINUTES=$minutes exec "$venv/bin/python" -m pytest --capture=no --timeout=$((minutes * 60 + 300)) tests/system/test_soak.py
