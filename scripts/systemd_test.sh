#!/usr/bin/env bash
# Boots a real systemd, deploys this checkout inside it and checks what only a booted system can show.
set -euo pipefail

usage="usage: scripts/systemd_test.sh [--in namespaces|vm] [--suite bookworm|trixie] [--cache DIRECTORY] [--command COMMAND]

  --in namespaces    on the kernel of this machine (default): a minute or two; no limits by cgroup where that has cgroup v1
  --in vm            in qemu, with Debian's kernel: what counts, some minutes
  --suite SUITE      the Debian inside (default trixie)
  --cache DIRECTORY  where roots and wheels are kept (default ~/.cache/lars-test)
  --command COMMAND  what is run inside, in the checkout (default python3 -m tests.deploy.guest)

Needs root, on Debian or Ubuntu, x86-64; installs mmdebstrap and qemu where they are missing."

refuse() { # refuse SENTENCE
    printf 'systemd_test.sh: %s\n\n%s\n' "$1" "$usage" >&2
    exit 2
}

place=namespaces suite=trixie cache=${XDG_CACHE_HOME:-${HOME-}/.cache}/lars-test guest_command='python3 -m tests.deploy.guest'
while (($#)); do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --in | --suite | --cache | --command)
        (($# > 1)) || refuse "$1 needs a value."
        case $1 in
        --in) place=$2 ;;
        --suite) suite=$2 ;;
        --cache) cache=$2 ;;
        --command) guest_command=$2 ;;
        esac
        shift 2
        ;;
    *) refuse "unknown option $1." ;;
    esac
done
[[ $place == namespaces || $place == vm ]] || refuse "--in is $place, not namespaces or vm."
[[ $suite == bookworm || $suite == trixie ]] || refuse "--suite is $suite, not bookworm or trixie."
[[ $guest_command != *\'* ]] || refuse "--command may not have a single quote."

. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"
[[ $EUID == 0 ]] || die "a system is booted by root alone: run it with sudo."
ensure_venv dev
for part in rootfs namespaces vm; do . "$root/tests/deploy/$part.sh"; done

mkdir -p "$cache/$suite"
cache=$(cd "$cache/$suite" && pwd)
install_tools
ensure_rootfs "$suite" "$cache"
ensure_wheels "$suite" "$cache"

directory=$(mktemp -d /var/tmp/lars-test.XXXXXX)
trap 'rm -rf "$directory"' EXIT
log=$directory/guest.log guest_output=/guest.log limit=300
if [[ $place == vm ]]; then
    log=$directory.log guest_output=/dev/ttyS1 limit=2400
    trap 'rm -rf "$directory" "$log"' EXIT
fi
prepare_root "$directory" "$cache"
: >"$log"
tail -n +1 --follow --pid=$$ "$log" &
follower=$!
status=0
"boot_$place" "$directory" "$cache" "$log" "$limit" || status=$?
said=$(tr -d '\r' <"$log" | sed -n 's/^GUEST STATUS //p' | tail -n 1)
kill "$follower"
[[ -n $said ]] || die "the $place ended before the checks did (status $status)."
exit "$said"
