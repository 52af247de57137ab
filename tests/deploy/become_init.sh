#!/usr/bin/env bash
# Run by tests/deploy/namespaces.sh as the first process of fresh namespaces: becomes the systemd of the root given.
# /proc is left whole: under a masked one the kernel refuses mounts that it allows on a real host.
set -euo pipefail
root=$1

hostname lars-test
mount --bind "$root" "$root"
cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
# After pivot_root(2), which refuses a shared root.
mount --make-rshared /
# Nothing inside changes what the machine has once: its clock, its modules, its raw devices.
exec env -i container=lars-test PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
    setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-mac_admin,-mac_override -- \
    /lib/systemd/systemd --log-target=journal --show-status=no
