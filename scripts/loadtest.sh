#!/usr/bin/env bash
# Sends load to a running or a fresh service and leaves a report (HTML, CSV, Markdown). Its own environment, .venv-load,
# has locust; LARS_VENV names another place for it.
set -euo pipefail

usage="usage: scripts/loadtest.sh [--url URL] [--users N] [--rate R] [--seconds S] [--out DIR] [KIND ...]

  --url URL      a running service, its key in LARS_API_KEY; else a fresh one is started
  --users N      how many (default 50)
  --rate R       requests per second of each user, on average (default 2)
  --seconds S    how long, 5 to 3600 (default 60)
  --out DIR      where reports go (default loadtest-DATE)
  KIND           of users: Execute, Crud, Functions, Mixed, Hostile; all of them by default"
for argument; do
    case $argument in
    -h | --help) # before anything is installed
        echo "$usage"
        exit 0
        ;;
    esac
done

scripts=$(cd -P "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LARS_VENV=${LARS_VENV:-${scripts%/*}/.venv-load}
. "$scripts/_venv.sh"
ensure_venv load
cd "$root"
exec "$venv/bin/python" -m scripts.loadtest "$@"
