#!/usr/bin/env bash
# Kills the processes of a service at random while 200 clients change one session, and checks that nothing is
# lost: scripts/chaos.sh --minutes N [--seed SEED]
# The suite runs the same for some seconds (tests/rest/test_rest_chaos.py). Prints what was asked and killed.
set -euo pipefail

usage="usage: scripts/chaos.sh --minutes N [--seed SEED]   (N may be a fraction)"
refuse() {
    printf 'chaos.sh: %s\n\n%s\n' "$1" "$usage" >&2
    exit 2
}

minutes='' seed=''
while (($# > 0)); do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --minutes | --seed)
        (($# > 1)) || refuse "$1 needs a value."
        [[ $2 =~ ^[0-9]+(\.[0-9]+)?$ ]] || refuse "$1 is $2, not a number."
        [[ $1 == --minutes || $2 != *.* ]] || refuse "$1 is $2, not a whole number."
        declare "${1#--}=$2"
        shift 2
        ;;
    *) refuse "unknown option $1." ;;
    esac
done
[[ -n $minutes ]] || refuse "--minutes is missing."

. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"
ensure_venv dev
cd "$root"
export CHAOS_MINUTES=$minutes
[[ -z $seed ]] || export CHAOS_SEED=$seed
exec "$venv/bin/python" -m pytest --capture=no tests/rest/test_rest_chaos.py
