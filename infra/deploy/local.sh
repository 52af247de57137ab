# shellcheck shell=bash
# Sourced by scripts/deploy.sh, for --mode local: `lars serve` in the background, for the user who calls.
#
# The directory below belongs to this file. `process` is who serves (pid, start time, boot), `state` a digest of all
# that it was started with, `log` what it says, `drain` how long its end may take. One deployment for each user: another port moves it.

START_SECONDS=60
STOP_SECONDS=60 # beyond what the service itself waits for requests in flight

# A relative one is to be ignored, says the XDG Base Directory Specification.
state_home=${XDG_STATE_HOME-}
[[ $state_home == /* ]] || state_home=${HOME:+$HOME/.local/state}
[[ -n $state_home ]] || die "HOME is not set: set XDG_STATE_HOME to a directory of yours."
deployment=$state_home/lars

value_of() { # value_of NAME: the real environment wins, as it does in the service
    if [[ -n ${!1-} ]]; then
        echo "${!1}"
    elif [[ -n $env_file ]]; then
        value_in "$env_file" "$1"
    fi
}

take_turn() { # one deployment at a time, until the script ends
    while
        { mkdir -p "$deployment" && chmod 700 "$deployment" && exec 8>>"$deployment/lock"; } 2>/dev/null ||
            die "$deployment is not writable for $(id -un): set XDG_STATE_HOME to a directory of yours."
        flock 8
        [[ ! /proc/self/fd/8 -ef $deployment/lock ]] # who had it before has removed all
    do :; done
}

# The start time (proc_pid_stat(5), field 22) and the boot make a pid one that is never given again.
identity_of() { # identity_of PID
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -r -a stat <<<"${stat##*) }"
    [[ ${stat[0]} != Z ]] || return 1
    echo "$1 ${stat[19]} $(</proc/sys/kernel/random/boot_id)"
}

serving_pid() { # prints the pid of the deployment that runs
    local pid rest
    { read -r pid rest <"$deployment/process"; } 2>/dev/null || return 1
    [[ "$pid $rest" == "$(identity_of "$pid")" ]] && echo "$pid"
}

wanted_state() {
    {
        printf '%s\n' "$root" "$venv" "$port"
        program_files
        cat "$venv/.lars/runtime" ${env_file:+"$env_file"}
        for name in $(sed -n 's/^#\([A-Z_]*\)=.*/\1/p' "$root/.env.template"); do printf '%s=%s\n' "$name" "${!name-}"; done
    } | sha256sum
}

announcement() {
    sed -n '/^LARS is ready at /,/^  try it: /p' "$deployment/log"
}

deploy_local() {
    local kind=runtime pid
    take_turn
    ! asks_clients value_of || kind=llm
    ensure_venv "$kind"
    (cd "$root" && "$venv/bin/lars" serve --check ${port:+"--port=$port"} ${env_file:+"--env-file=$env_file"}) ||
        die "mend that, and run this again."
    if pid=$(serving_pid); then
        if [[ $(wanted_state) == "$(cat "$deployment/state" 2>/dev/null)" ]]; then
            say "LARS is up to date; nothing was changed."
            tell_next "$pid"
            return
        fi
        require_port
        say "something has changed since LARS was started: starting it anew."
        stop_local "$pid"
    fi
    start_local
}

# What runs must not be stopped for a port that another program has. On its own it is not in its own way.
require_port() {
    local wanted=${port:-$(value_of LARS_PORT)} own
    own=$(announcement | sed -nE '1s/.*:([0-9]+)$/\1/p')
    [[ -n $wanted && -n $own && $wanted != "$own" && -z $(value_of LARS_FD) ]] || return 0
    "$venv/bin/python" -I - "$(value_of LARS_HOST)" "$wanted" <<'PYTHON' || die "stop what holds it, or choose another with --port."
import errno, socket, sys

host, port = sys.argv[1] or "127.0.0.1", int(sys.argv[2])
try:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)
except OSError as error:
    if error.errno == errno.EADDRINUSE:
        sys.exit(f"port {port} on {host} is in use.")
PYTHON
}

start_local() {
    local options=() pid
    [[ -z $port ]] || options+=("--port=$port")
    [[ -z $env_file ]] || options+=("--env-file=$env_file")
    [[ ! -e $deployment/log ]] || mv "$deployment/log" "$deployment/log.old"
    rm -f "$deployment/process" "$deployment/state"
    (umask 077 && : >"$deployment/log")
    value_of LARS_DRAIN_SECONDS >"$deployment/drain"
    # 8 is the lock, which must end with this script.
    (cd "$root" && exec setsid "$venv/bin/lars" serve "${options[@]}" </dev/null >>"$deployment/log" 2>&1 8>&-) &
    pid=$!
    identity_of "$pid" >"$deployment/process" || true # it may have ended
    await_ready "$pid"
    wanted_state >"$deployment/state"
    tell_next "$pid"
}

await_ready() { # await_ready PID
    local deadline=$((SECONDS + START_SECONDS))
    until grep -q '^LARS is ready at ' "$deployment/log"; do
        if ! identity_of "$1" >/dev/null; then
            die "LARS did not start: $(tail -n 3 "$deployment/log")"
        fi
        if ((SECONDS > deadline)); then
            kill -KILL "$1"
            die "LARS was not ready after $START_SECONDS seconds; $deployment/log says what it did."
        fi
        sleep 0.1
    done
}

tell_next() { # tell_next PID
    announcement
    printf '  %s\n' "process $1, log in $deployment/log" \
        "make a key: $venv/bin/lars keys add --name NAME --env prod${env_file:+ --env-file $env_file}" \
        "bring it up to date: scripts/deploy.sh" "stop it: scripts/deploy.sh --uninstall"
}

stop_local() { # stop_local PID
    local drain deadline
    drain=$(cat "$deployment/drain" 2>/dev/null) || true # of the one that runs
    [[ $drain =~ ^[0-9]+ ]] && drain=${BASH_REMATCH[0]} || drain=0
    deadline=$((SECONDS + STOP_SECONDS + 10#$drain))
    kill -TERM "$1"
    while identity_of "$1" >/dev/null; do
        if ((SECONDS > deadline)); then
            say "LARS did not stop in time: killing it."
            kill -KILL "$1"
        fi
        sleep 0.1
    done
    rm -f "$deployment/process" "$deployment/state"
}

uninstall_local() {
    local pid
    if [[ ! -d $deployment ]]; then
        say "nothing is deployed."
        return
    fi
    take_turn
    if pid=$(serving_pid); then stop_local "$pid"; fi
    rm -rf "$deployment"
    say "LARS is stopped. Its settings and data, and $venv, were left as they are."
}
