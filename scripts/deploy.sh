#!/usr/bin/env bash
# Deploys this checkout: in the background for the caller, in a container, or as a service of systemd. What is
# deployed already is brought up to date; where nothing has changed, nothing is done.
set -euo pipefail

usage="usage: scripts/deploy.sh [--mode local|docker|systemd] [--port PORT] [--env-file FILE]
       scripts/deploy.sh --mode systemd --rollback
       scripts/deploy.sh [--mode MODE] --uninstall [--purge]

  --mode MODE        local: a process of yours (default); docker: a container; systemd: a service, as root
  --port PORT        TCP port to listen on (default LARS_PORT, else 8000)
  --env-file FILE    settings (NAME=value lines) to deploy with (default .env in the checkout, where there is one)
  --rollback         go back to the version that was deployed before
  --uninstall        stop it and remove the program; settings and data stay
  --purge            with --uninstall of docker or systemd: remove data (and settings and user) too

LARS_PYTHON names the Python to install with. docs/deployment.md has the rest."

refuse() { # refuse SENTENCE
    printf 'deploy.sh: %s\n\n%s\n' "$1" "$usage" >&2
    exit 2
}

mode=local port='' env_file='' action=deploy purge=no
while (($#)); do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --mode=* | --port=* | --env-file=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    --mode | --port | --env-file)
        (($# > 1)) || refuse "$1 needs a value."
        case $1 in
        --mode) mode=$2 ;;
        --port) port=$2 ;;
        --env-file) env_file=$2 ;;
        esac
        shift 2
        ;;
    --rollback | --uninstall)
        [[ $action == deploy ]] || refuse "$1 and --$action exclude each other."
        action=${1#--}
        shift
        ;;
    --purge)
        purge=yes
        shift
        ;;
    *) refuse "unknown option $1." ;;
    esac
done

case $mode in
local | docker | systemd) ;;
*) refuse "--mode is $mode, not local, docker or systemd." ;;
esac
[[ $action != rollback || $mode == systemd ]] || refuse "--rollback is for --mode systemd."
[[ $purge == no || $action == uninstall ]] || refuse "--purge is for --uninstall."
[[ $purge == no || $mode != local ]] || refuse "--purge is not for --mode local: remove the data yourself."
[[ $action == deploy || -z $port$env_file ]] || refuse "--$action takes neither --port nor --env-file."
if [[ -n $port ]]; then
    [[ $port =~ ^[1-9][0-9]{0,4}$ ]] && ((port < 65536)) || refuse "--port is $port, not a number from 1 to 65535."
fi

. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"

env_named=no
if [[ -n $env_file ]]; then
    env_named=yes
    [[ -f $env_file && -r $env_file ]] || die "--env-file $env_file is no file that $(id -un) can read."
    env_file=$(readlink -f "$env_file")
elif [[ $action == deploy && -e $root/.env ]]; then
    [[ -f $root/.env && -r $root/.env ]] || die "$root/.env is no file that $(id -un) can read."
    env_file=$root/.env
fi

say() { # say LINE
    printf 'deploy.sh: %s\n' "$1"
}

# What a file of settings says last of a setting, and nothing where it says nothing.
value_in() { # value_in FILE NAME
    # Some editors begin a file with a byte order mark.
    sed -nE -e $'1s/^\xef\xbb\xbf//' -e "s/^[[:space:]]*(export[[:space:]]+)?$2[[:space:]]*=[[:space:]]*//p" "$1" | tail -n 1 |
        sed -E "s/[[:space:]]+#.*\$//; s/[[:space:]]+\$//; s/^(['\"])(.*)\1\$/\2/"
}

# Whether a language model is configured, or where traces go: the clients of both are then installed, too.
asks_clients() { # asks_clients VALUE_OF, a command that prints the value of a setting
    local name value
    for name in OPENAI_API_KEY ANTHROPIC_API_KEY TOGETHER_API_KEY LARS_LLM_BASE_URL OTEL_EXPORTER_OTLP_ENDPOINT; do
        value=$("$1" "$name")
        [[ -z $value || $value == none ]] || return 0
    done
    return 1
}

# Everything of the checkout that runs.
program_files() {
    (cd "$root" && find service sandbox_runtime seccomp -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum)
}

part=$root/infra/deploy/$mode.sh
[[ -r $part ]] || die "$part is missing: deploy from a whole checkout."
. "$part"

case $mode-$action in
docker-deploy)
    [[ -n $port || -z $env_file ]] || port=$(value_in "$env_file" LARS_PORT)
    deploy_docker "${port:-8000}" "$env_file"
    ;;
docker-uninstall)
    options=()
    [[ $purge == no ]] || options+=(--purge)
    uninstall_docker "${options[@]}"
    ;;
*) "${action}_$mode" ;;
esac
