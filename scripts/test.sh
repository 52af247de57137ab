#!/usr/bin/env bash
# Runs the whole suite, or what the arguments select: scripts/test.sh [PYTEST ARGUMENT...]
# Paths in the arguments are relative to the checkout. The whole suite is two runs: most tests share the
# machine, three at a time, which keeps two CPUs busy while some wait, and those that must not
# (tests/alone.py) come after them, one at a time.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"
ensure_venv dev
cd "$root"
# Where it is set, pytest and every service that a test starts would compile all of their modules again.
unset PYTHONDONTWRITEBYTECODE
if (($#)); then exec "$venv/bin/python" -m pytest "$@"; fi
status=0
"$venv/bin/python" -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not alone" || status=$?
alone=$("$venv/bin/python" -m tests.alone)
# shellcheck disable=SC2086 # one path on each line
"$venv/bin/python" -m pytest -m alone $alone || status=$?
exit "$status"
