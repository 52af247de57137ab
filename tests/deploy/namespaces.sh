# shellcheck shell=bash
# Sourced by scripts/systemd_test.sh: boots a root in fresh namespaces on the kernel of this machine. Quick. cgroup v2
# alone is shown inside, which has no controllers where the machine has bound them to v1.

# Touches of the machine one cgroup in each hierarchy that has none of its own names inside; it is removed.
make_groups() { # sets $groups
    local hierarchy own controller
    groups=()
    for hierarchy in systemd unified .; do
        case $hierarchy in
        systemd) controller=name=systemd ;;
        *) controller= ;;
        esac
        [[ -w /sys/fs/cgroup/$hierarchy/cgroup.procs ]] || continue
        own=$(awk -F: -v name="$controller" '$2 == name { print $3; exit }' /proc/self/cgroup)
        groups+=("/sys/fs/cgroup/$hierarchy${own%/}/lars-test-$$")
        mkdir "${groups[-1]}"
    done
}

remove_groups() {
    local group
    for group in "${groups[@]}"; do
        for _ in {1..50}; do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
            sleep 0.1
        done
    done
}

boot_namespaces() { # boot_namespaces DIRECTORY CACHE LOG SECONDS
    local status=0 groups
    make_groups
    mkdir -p "$1/.old"
    install -m 755 "$root/tests/deploy/become_init.sh" "$1/.init"
    (
        for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
        # systemd ends with a status of its own when it is told to power off; --kill-child leaves nothing behind.
        exec timeout --kill-after=5 "$4" setsid unshare --mount --propagation private --pid --uts --ipc --cgroup \
            --net --fork --kill-child=SIGKILL /bin/bash "$1/.init" "$1" </dev/null >"$1/.console" 2>&1
    ) || status=$?
    remove_groups
    grep -q '^GUEST STATUS' "$3" 2>/dev/null || { cat "$1/.console" && return "${status/#0/1}"; }
}
