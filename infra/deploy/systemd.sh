# shellcheck shell=bash
# Sourced by scripts/deploy.sh, for --mode systemd: a service of the machine, with its own copy of the program.
#
#   /opt/lars               programs (program.sh); `applied`: a digest of what was last started, with its units and
#                           settings; `listening`: the address that lars.socket was started for
#   /etc/lars/lars.env      settings, 0600; `lars.env.applied`: those that last came up
#   /var/lib/lars           data
#   /usr/local/sbin/lars    the command, as the service's user

settings=/etc/lars/lars.env data=/var/lib/lars units=/etc/systemd/system command=/usr/local/sbin/lars
OLDEST_SYSTEMD=252
SUBGROUP_SYSTEMD=254 # DelegateSubgroup=
READY_SECONDS=30

. "$root/infra/deploy/program.sh"

require_systemd() { # sets $systemd_version
    ((EUID == 0)) || die "--mode systemd is for root: run it with sudo."
    [[ -d /run/systemd/system ]] ||
        die "systemd does not run this machine (there is no /run/systemd/system): use --mode local or --mode docker."
    systemd_version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    ((systemd_version >= OLDEST_SYSTEMD)) ||
        die "systemd $systemd_version is older than $OLDEST_SYSTEMD: use --mode local or --mode docker."
    exec 8>>/run/lars-deploy.lock
    flock --nonblock 8 || die "another deploy.sh is at work: wait for it."
    umask 022
}

changed=no
put() { # put FILE MODE: standard input becomes the file, all at once; sets $changed where it was another
    local new
    new=$(mktemp "$1.XXXXXX")
    cat >"$new"
    chmod "$2" "$new"
    if cmp -s "$new" "$1"; then
        rm "$new"
    else
        mv "$new" "$1"
        changed=yes
    fi
}

# Settings. The file is the operator's: replaced only by one that they name, and then the old one is kept.

propose_settings() { # writes what the settings will be to $settings.new
    local from=$settings
    [[ -e $settings ]] || from=${env_file:-$root/.env.template}
    [[ $env_named == no ]] || from=$env_file
    mkdir -p "${settings%/*}"
    if [[ -z $port || $(value_in "$from" LARS_PORT) == "$port" ]]; then
        cat "$from"
    else
        # The second command ends the last line, where nothing does.
        sed -E -e '/^[[:space:]]*(export[[:space:]]+)?LARS_PORT[[:space:]]*=/d' -e '$a\' "$from"
        echo "LARS_PORT=$port"
    fi | put "$settings.new" 600
}

proposed() { # proposed NAME
    value_in "$settings.new" "$1"
}

take_settings() {
    [[ -z $(proposed LARS_DATA_ROOT) ]] || say "LARS_DATA_ROOT is not used: the unit keeps the data in $data."
    if [[ $env_named == yes && -e $settings ]] && ! cmp -s "$settings" "$settings.new"; then
        cp -p "$settings" "$settings.old"
        say "the settings that there were are in $settings.old."
    fi
    mv "$settings.new" "$settings"
}

# The account. One that this script has not made belongs to somebody.

is_own_user() {
    [[ $(getent passwd lars) == lars:*:"$data":/usr/sbin/nologin ]]
}

require_user() {
    ! getent passwd lars >/dev/null || is_own_user ||
        die "there is a user lars already, who is not the service's: its home is not $data. Rename or remove that one."
}

make_user() {
    local group=(--user-group)
    ! getent group lars >/dev/null || group=(--gid lars)
    is_own_user ||
        useradd --system "${group[@]}" --home-dir "$data" --no-create-home --shell /usr/sbin/nologin lars
}

# Units.

read_facts() { # read_facts PROGRAM SETTINGS; sets $listen and $network, or says what is wrong with the settings
    local facts
    facts=$("$1/venv/bin/python" -P -m service.deployment "$2") || die "mend that, and run this again."
    { read -r _ listen && read -r _ network; } <<<"$facts"
}

install_units() { # install_units PROGRAM
    local from=$1/units subgroup=no
    changed=no
    ((systemd_version < SUBGROUP_SYSTEMD)) || subgroup=yes
    mkdir -p "$units"/lars.{service,socket}.d "${command%/*}"
    put "$units/lars.service" 644 <"$from/lars.service"
    put "$units/lars.socket" 644 <"$from/lars.socket"
    put "$units/lars.socket.d/50-listen.conf" 644 <<LISTEN
# LARS_HOST and LARS_PORT of $settings, by scripts/deploy.sh.
[Socket]
ListenStream=
ListenStream=$listen
LISTEN
    drop_in network "$network" "$from"
    drop_in subgroup "$subgroup" "$from"
    put "$command" 755 <"$from/lars-command.sh"
    [[ $changed == no ]] || systemctl daemon-reload
}

drop_in() { # drop_in NAME yes|no DIRECTORY
    local file=$units/lars.service.d/50-$1.conf
    if [[ $2 == yes ]]; then
        put "$file" 644 <"$3/$1.conf"
    elif [[ -e $file ]]; then
        rm "$file"
        changed=yes
    fi
}

state_of() { # state_of PROGRAM: all that the service is made of once that is current
    {
        echo "$1"
        cat "$settings" "$units"/lars.{service,socket}
        find "$units"/lars.{service,socket}.d -name '*.conf' -print0 | sort -z | xargs -0 --no-run-if-empty cat
    } | sha256sum
}

# The service.

is_listening() {
    systemctl --quiet is-active lars.socket && [[ $(cat "$opt/listening" 2>/dev/null) == "$listen" ]]
}

# While systemd holds the socket, who connects waits for the new process, and what was accepted is answered by the
# old one. Another address is another socket.
start_service() {
    if ! is_listening; then
        rm -f "$opt/listening"
        systemctl stop lars.service lars.socket 2>/dev/null || true
        systemctl reset-failed lars.socket 2>/dev/null || true
        systemctl start lars.socket 2>/dev/null || {
            say "$(why_no_socket)"
            return 1
        }
        echo "$listen" >"$opt/listening"
    fi
    # Also what counts starts, so that none by hand just now keeps this one from being tried.
    systemctl reset-failed lars.service 2>/dev/null || true
    systemctl restart lars.service 2>/dev/null && await_ready
}

# Before anything is changed: what runs must not be stopped for an address that another program has, or nobody.
require_address() {
    local former bound=${listen##*:}
    [[ $bound != 0 ]] || die "LARS_PORT is 0: a socket of systemd needs a port that callers know."
    former=$(cat "$opt/listening" 2>/dev/null) || true
    [[ $former != "$listen" ]] || return 0
    [[ ${former##*:} != "$bound" ]] || bound=0 # that port is ours, on the other address
    "$python" -I - "${listen%:*}" "$bound" "${listen##*:}" <<'PYTHON' || die "stop what holds it, or choose another port with --port."
import socket, sys

host = sys.argv[1].strip("[]")
listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    listener.bind((host, int(sys.argv[2])))
    listener.listen(1)
except OSError as error:
    sys.exit(f"nobody can listen on {sys.argv[1]} port {sys.argv[3]}: {error.strerror}")
PYTHON
}

why_no_socket() {
    local why
    why=$(journalctl --unit=lars.socket --output=cat --lines=20 --no-pager | grep 'Failed to' | tail -n 1) || true
    echo "nobody can listen on $listen (${why:-systemctl status lars.socket says why}):" \
        "stop what holds it, or choose another with --port."
}

await_ready() {
    local address=${listen/#0.0.0.0:/127.0.0.1:}
    "$opt/current/venv/bin/python" -I - "http://${address/#\[::\]:/[::1]:}/readyz" "$READY_SECONDS" <<'PYTHON'
import sys, time, urllib.error, urllib.request

url, seconds = sys.argv[1], float(sys.argv[2])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
deadline = time.monotonic() + seconds
while True:
    try:
        opener.open(url, timeout=seconds)
        break
    except OSError as error:
        if isinstance(error, urllib.error.HTTPError) and error.code == 401:
            break  # it serves, and tells nobody how it is (LARS_PUBLIC)
        if time.monotonic() > deadline:
            sys.exit(f"{url}: {error}")
        time.sleep(0.1)
PYTHON
}

# A program, or settings, that do not come up are not left in the way of those that did.
go_back_to() { # go_back_to PROGRAM, or "" where there is none
    local said with=''
    said=$(journalctl --unit=lars.service --output=cat --lines=15 --no-pager)
    if [[ -e $settings.applied ]] && ! cmp -s "$settings" "$settings.applied"; then
        mv "$settings" "$settings.failed"
        cp -p "$settings.applied" "$settings"
        with=" with the settings of before; those that did not are in $settings.failed"
    fi
    if [[ -n $1 && ($1 != "$target" || -n $with) ]]; then
        switch_to "$1"
        set_previous "$former_previous"
        read_facts "$1" "$settings"
        install_units "$1"
        ! start_service || die "$target did not start, and $1 runs again$with. The journal of the former:"$'\n'"$said"
    fi
    die "LARS did not start. Its journal:"$'\n'"$said"
}

set_previous() { # set_previous NAME, or "" for none
    rm -f "$opt/previous"
    [[ -z $1 ]] || ln -s "$1" "$opt/previous"
}

run_program() { # run_program PROGRAM LAST: LAST is "" where there is none
    local former_previous
    former_previous=$(readlink "$opt/previous") || true
    # Before the switch, so that a run that is cut off leaves a way back.
    [[ -z $2 || $1 == "$2" ]] || set_previous "${2##*/}"
    switch_to "$1"
    start_service || go_back_to "$2"
    cp -p "$settings" "$settings.applied"
    state_of "$1" | put "$opt/applied" 644
    remove_old_programs
}

deploy_systemd() {
    local last kind=runtime
    require_systemd
    find_system_python
    propose_settings
    ! asks_clients proposed || kind=llm
    mkdir -p "$opt"
    last=$(readlink -e "$opt/current") || last=''
    read_identity "$kind"
    install_program "$kind"
    read_facts "$target" "$settings.new"
    require_address
    require_user
    take_settings
    make_user
    install_units "$target"
    systemctl --quiet enable lars.socket lars.service
    if [[ $(cat "$opt/applied" 2>/dev/null) == "$(state_of "$target")" ]] && is_listening &&
        systemctl --quiet is-active lars.service; then
        say "LARS is up to date; nothing was changed."
    else
        run_program "$target" "$last"
    fi
    tell_next
}

rollback_systemd() {
    local last
    require_systemd
    target=$(readlink -e "$opt/previous") || die "there is no version to go back to."
    last=$(readlink -e "$opt/current")
    read_facts "$target" "$settings"
    install_units "$target"
    run_program "$target" "$last"
    say "that is the version of before; --rollback again undoes it."
    tell_next
}

tell_next() {
    local name
    name=$(readlink "$opt/current")
    echo "LARS is ready at http://$listen ($name)"
    printf '  %s\n' "make a key: sudo lars keys add --name NAME --env prod" \
        "see it: systemctl status lars; journalctl --unit lars" \
        "settings: $settings; after a change run scripts/deploy.sh --mode systemd" \
        "renew its processes without an interruption: systemctl reload lars" \
        "undo this deployment: scripts/deploy.sh --mode systemd --rollback" \
        "remove it: scripts/deploy.sh --mode systemd --uninstall"
}

uninstall_systemd() {
    require_systemd
    systemctl --quiet disable --now lars.service lars.socket 2>/dev/null || true
    rm -rf "$opt" "$command" "$units"/lars.{service,socket}
    rm -f "$units/lars.socket.d/50-listen.conf" "$units"/lars.service.d/50-{network,subgroup}.conf
    rmdir "$units"/lars.{service,socket}.d 2>/dev/null || true # what the operator has put there stays
    systemctl daemon-reload
    systemctl reset-failed lars.service lars.socket 2>/dev/null || true
    if [[ $purge == no ]]; then
        say "LARS is removed; settings (${settings%/*}), data ($data) and user (lars) are kept. --purge removes them."
        return
    fi
    rm -rf "${settings%/*}" "$data" "$units"/lars.{service,socket}.d
    ! is_own_user || userdel lars
    say "LARS is removed, with its settings, data and user."
}
