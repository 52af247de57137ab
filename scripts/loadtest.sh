#!/usr/bin/env bash
# Sends load to a running or a fresh service and leaves a report (HTML, CSV, Markdown). Its own environment, .venv-load,
# has locust; LARS_VENV names another place for it.
set -euo pipefail

scripts=$(cd -P "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LARS_VENV=${LARS_VENV:-${scripts%/*}/.venv-load}
. "$scripts/_venv.sh"
ensure_venv load
cd "$root"
exec "$venv/bin/python" -m scripts.loadtest "$@"
