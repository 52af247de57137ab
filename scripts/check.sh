#!/usr/bin/env bash
# Format, lint and types of the whole checkout. Changes nothing.
set -euo pipefail

if (($#)); then
    echo "usage: scripts/check.sh   (takes no arguments)" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"
ensure_venv dev
cd "$root"
for script in scripts/*.sh infra/deploy/*.sh tests/deploy/*.sh .ci/run; do
    bash -n "$script"
done
"$venv/bin/python" -m ruff format --check .
"$venv/bin/python" -m ruff check .
"$venv/bin/python" -m mypy
