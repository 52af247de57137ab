# shellcheck shell=bash
# Sourced by scripts/systemd_test.sh: a Debian with systemd and its kernel, and a checkout to deploy inside it.

packages=systemd,systemd-sysv,dbus,python3,python3-venv,libseccomp2,ca-certificates,util-linux
declare -A python_of=([bookworm]=3.11 [trixie]=3.13)

# Not of their own root: without udev they wait for devices that are there, or come too often for a short life.
masked=(serial-getty@ttyS0 getty@tty1 console-getty systemd-modules-load systemd-sysctl systemd-networkd-wait-online
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer)

install_tools() {
    local missing=()
    command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
    command -v mke2fs >/dev/null || missing+=(e2fsprogs)
    [[ $place == namespaces ]] || command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
    ((${#missing[@]})) || return 0
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The mirror that this machine uses already.
mirror() {
    local found
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v -e security -e updates |
        sort -u | head -n 1) || true
    echo "${found:-http://deb.debian.org/debian}"
}

# root.tar and vmlinuz, once for each suite: half a minute.
ensure_rootfs() { # ensure_rootfs SUITE CACHE
    local suite=$1 cache=$2 kernel
    [[ ! -s $cache/root.tar || ! -s $cache/vmlinuz ]] || return 0
    echo "making a root of $suite in $cache (once)"
    kernel=$(mktemp -d)
    # The cloud kernel has NVMe and ext4 built in, so that it boots without an initramfs.
    KERNEL=$kernel mmdebstrap --quiet --format=tar --variant=minbase --include="$packages" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='cd "$KERNEL" && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" &&
            apt-get -qq download "$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/.*Depends: //p")"' \
        "$suite" "$cache/root.new" "$(mirror)"
    dpkg-deb --fsys-tarfile "$kernel"/*.deb | tar -x -C "$kernel" --wildcards './boot/vmlinuz-*'
    mv "$kernel"/boot/vmlinuz-* "$cache/vmlinuz"
    mv "$cache/root.new" "$cache/root.tar"
    rm -rf "$kernel"
}

# The wheels of the lock file with the clients of models, which has all of the other's, for the suite's Python:
# inside there is no network.
ensure_wheels() { # ensure_wheels SUITE CACHE
    local digest lock=$root/requirements-llm.lock
    digest=$(sha256sum "$lock" | cut -c 1-16)
    wheels=$2/wheels-$digest
    [[ ! -e $wheels/complete ]] || return 0
    mkdir -p "$wheels"
    "$venv/bin/python" "$root/tests/deploy/pins.py" "$lock" "${python_of[$1]}" >"$wheels/lock"
    "$venv/bin/python" -I -m pip download --quiet --require-hashes --only-binary=:all: --dest "$wheels" \
        --python-version "${python_of[$1]}" --requirement "$wheels/lock"
    touch "$wheels/complete"
}

# A root of its own for this boot: the suite's, the checkout as it is committed or not, and what to run.
prepare_root() { # prepare_root DIRECTORY CACHE
    local directory=$1 unit
    tar -xf "$2/root.tar" -C "$directory" --exclude='./dev/*'
    chmod 755 "$directory"
    mkdir -p "$directory/usr/src/lars" "$directory/usr/src/wheels" "$directory/root/.config/pip"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from=- --ignore-failed-read 2>/dev/null) |
        tar -x -C "$directory/usr/src/lars"
    cp "$wheels"/*.whl "$directory/usr/src/wheels/"
    for unit in "${masked[@]}"; do
        [[ $unit == *.* ]] || unit+=.service
        ln -sf /dev/null "$directory/etc/systemd/system/$unit"
    done
    echo lars-test >"$directory/etc/hostname"
    : >"$directory/etc/machine-id"
    write_guest_unit "$directory"
}

# Not oneshot: `systemctl is-system-running --wait`, which the checks begin with, would wait for itself.
write_guest_unit() { # write_guest_unit DIRECTORY
    local wants=$1/etc/systemd/system/multi-user.target.wants
    mkdir -p "$wants"
    cat >"$1/etc/systemd/system/guest.service" <<UNIT
[Unit]
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=exec
WorkingDirectory=/usr/src/lars
Environment=HOME=/root PIP_NO_INDEX=1 PIP_FIND_LINKS=/usr/src/wheels PYTHONDONTWRITEBYTECODE=1
Environment=TEST_PLACE=$place
ExecStart=/bin/sh -c '$guest_command; echo "GUEST STATUS \$?"; sync'
StandardInput=null
StandardOutput=file:$guest_output
StandardError=inherit
UNIT
    ln -sf ../guest.service "$wants/"
}
