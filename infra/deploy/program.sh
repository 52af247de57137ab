# shellcheck shell=bash
# Sourced by infra/deploy/systemd.sh: copies of the program below /opt/lars, one for each version.
#
#   /opt/lars/VERSION-DIGEST/venv    the program and its dependencies; `complete` beside it is written last
#   /opt/lars/VERSION-DIGEST/units   its units
#   /opt/lars/current, previous      links to what runs and to what ran before

opt=/opt/lars

# The service sees neither /home nor /root, and is not root.
find_system_python() { # sets $python
    local real
    [[ -n $wanted_python ]] || PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    find_python
    require_libseccomp
    real=$("$python" -I -c 'import os, sys; print(os.path.realpath(sys.executable))')
    case $real in
    /home/* | /root/* | /run/user/* | /tmp/* | /var/tmp/*)
        die "$real is where the service cannot see it: set LARS_PYTHON to one below /usr or /opt."
        ;;
    esac
}

read_identity() { # read_identity KIND; sets $lock_digest, $target
    local version digest
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$root/service/__init__.py")
    lock_digest=$({
        cat "$root/requirements.lock" "$(lock_of "$1")"
        "$python" -I -c 'import sys; print(sys.executable, sys.version)'
    } | sha256sum)
    digest=$({
        printf '%s\n' "$lock_digest"
        program_files
        cat "$root/pyproject.toml" "$root"/infra/systemd/*
    } | sha256sum)
    target=$opt/$version-${digest:0:12}
}

# A directory that is complete is never changed again.
install_program() { # install_program KIND
    local build
    [[ ! -e $target/complete ]] || return 0
    say "installing $target (under a minute)"
    rm -rf "$target"
    mkdir -p "$target"
    venv=$target/venv
    install_dependencies "$1" "$(readlink -f "$opt/current")"
    build=$(mktemp -d)
    cp -r "$root"/{service,sandbox_runtime,seccomp,pyproject.toml,README.md,LICENSE} "$build"
    pip_install --no-deps --no-build-isolation --force-reinstall "$build"
    rm -rf "$build"
    cp -r "$root/infra/systemd" "$target/units"
    echo "$lock_digest" >"$target/lock"
    touch "$target/complete"
}

install_dependencies() { # install_dependencies KIND DIRECTORY, of the program that is current
    if [[ $(cat "$2/lock" 2>/dev/null) == "$lock_digest" ]]; then
        # They were checked against this lock when they were installed, and are root's. No network is needed.
        cp -a "$2/venv" "$venv"
        find "$venv/bin" -type f -delete
        return
    fi
    "$python" -I -m venv "$venv" || die "$python could not make a virtual environment in $venv."
    pip_install --require-hashes --requirement "$root/requirements.lock"
    [[ $1 == runtime ]] ||
        pip_install --require-hashes --use-pep517 --no-build-isolation --requirement "$(lock_of "$1")"
}

switch_to() { # switch_to DIRECTORY: at once, for whoever looks
    ln -sfn "${1##*/}" "$opt/current.new"
    mv -T "$opt/current.new" "$opt/current"
}

remove_old_programs() {
    local directory kept
    kept=" $(readlink -f "$opt/current") $(readlink -f "$opt/previous") "
    for directory in "$opt"/*/; do
        directory=${directory%/}
        [[ -L $directory || $kept == *" $directory "* ]] || rm -rf "$directory"
    done
}
