#!/usr/bin/env bash
# Starts the LARS service in the foreground; the first run also installs it into .venv.
set -euo pipefail

usage="usage: scripts/start_api.sh [--host HOST] [--port PORT] [--env-file FILE] [--with-llm]

  --host HOST        address to listen on (default 127.0.0.1)
  --port PORT        TCP port to listen on (default 8000)
  --env-file FILE    read settings (NAME=value lines) from FILE first
  --with-llm         also install the clients of language models (OpenAI, Anthropic, Together)

LARS_PYTHON names the Python to install with, LARS_VENV the directory to install into (default .venv)."

refuse() { # refuse SENTENCE
    printf 'start_api.sh: %s\n\n%s\n' "$1" "$usage" >&2
    exit 2
}

options=()
kind=runtime
while (($#)); do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --with-llm)
        kind=llm
        shift
        ;;
    --host | --port | --env-file)
        (($# > 1)) || refuse "$1 needs a value."
        options+=("$1=$2")
        shift 2
        ;;
    --host=* | --port=* | --env-file=*)
        options+=("$1")
        shift
        ;;
    *) refuse "unknown option $1." ;;
    esac
done

. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"
ensure_venv "$kind"
exec "$venv/bin/lars" serve "${options[@]}"
