#!/usr/bin/env bash
# Runs the whole suite, or what the arguments select: scripts/test.sh [PYTEST ARGUMENT...]
# Paths in the arguments are relative to the checkout.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"
ensure_venv dev
cd "$root"
exec "$venv/bin/python" -m pytest "$@"
