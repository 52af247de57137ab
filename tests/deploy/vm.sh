# shellcheck shell=bash
# Sourced by scripts/systemd_test.sh: boots a root under qemu, with Debian's own kernel and a cgroup v2 hierarchy that
# has every controller. What users run, and ten times slower than it: no hardware is asked for.

boot_vm() { # boot_vm DIRECTORY CACHE LOG SECONDS
    local disk console status=0
    disk=$(mktemp --suffix=.img)
    console=$(mktemp)
    echo '/dev/nvme0n1 / ext4 defaults 0 0' >"$1/etc/fstab"
    mke2fs -q -t ext4 -O ^has_journal -d "$1" -F "$disk" 2500M
    # cx16=off: without hardware, qemu 7.2 lets cmpxchg16b fault in Linux 6.12.
    timeout "$4" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max,cx16=off,la57=off -smp 2 -m 2048 \
        -nodefaults -no-user-config -display none -no-reboot -kernel "$2/vmlinuz" \
        -append "console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rw quiet panic=-1 mitigations=off systemd.show_status=no" \
        -serial file:"$console" -serial file:"$3" \
        -drive file="$disk",if=none,id=root,format=raw,cache=unsafe -device nvme,drive=root,serial=root \
        </dev/null || status=$?
    ((status == 0)) || tail -n 20 "$console"
    rm -f "$disk" "$console"
    return "$status"
}
