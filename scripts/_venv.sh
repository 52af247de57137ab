# shellcheck shell=bash
# Sourced by the other scripts: keeps a virtual environment in step with the lock files.
#
#   ensure_venv runtime    what `lars serve` needs: requirements.lock and this checkout, editable
#   ensure_venv llm        that, and requirements-llm.lock: the clients of language models
#   ensure_venv dev        that, and requirements-dev.lock: what check.sh and test.sh need
#   ensure_venv load       the first, and requirements-load.lock: locust; in an environment of its own
#
# Sets $root (the checkout) and $venv ($LARS_VENV, or .venv in the checkout). $LARS_PYTHON names the
# interpreter to build with; otherwise the first that runs of python3.13, python3.12, python3.11, python3.
#
# $venv/.lars belongs to this file: `lock` is held while building; `former` is what is put back when that fails;
# `runtime`, `llm`, `dev` and `load` are stamps, removed before the first change and written after the last, so an
# interrupted build is never taken for a whole one.

root=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${LARS_VENV:-$root/.venv}
[[ $venv == /* ]] || venv=$PWD/$venv
wanted_python=${LARS_PYTHON-}
# They steer these scripts only; the service would take them for misspelt settings.
export -n LARS_VENV LARS_PYTHON

if ((EUID == 0)); then apt_install="apt-get install"; else apt_install="sudo apt-get install"; fi

die() { # die SENTENCE
    echo "${0##*/}: $1" >&2
    exit 1
}

declare -A additions=([llm]="the clients of language models" [dev]="the tools for checks and tests" [load]="locust")

lock_of() { # lock_of KIND
    if [[ $1 == runtime ]]; then echo "$root/requirements.lock"; else echo "$root/requirements-$1.lock"; fi
}

# Everything a finished environment depends on: the pins, the package, the checkout's place, the interpreter
# (pyvenv.cfg has its version; the resolved path changes when the distribution replaces python3).
digest_of() { # digest_of KIND
    {
        printf '%s\n' "$root" "$(readlink -f "$venv/bin/python")"
        cat "$root/pyproject.toml" "$(lock_of "$1")" "$venv/pyvenv.cfg"
    } 2>/dev/null | sha256sum
}

is_current() { # is_current KIND
    local digest='' python=''
    [[ -x $venv/bin/python && -r $venv/.lars/$1 ]] || return 1
    { read -r digest && read -r python; } <"$venv/.lars/$1"
    [[ -z $wanted_python || $wanted_python == "$python" ]] && [[ $digest == "$(digest_of "$1")" ]]
}

write_stamp() { # write_stamp KIND
    printf '%s\n' "$(digest_of "$1")" "$wanted_python" >"$venv/.lars/$1.new" || return
    mv "$venv/.lars/$1.new" "$venv/.lars/$1"
}

# Candidates are run, not looked up: a version manager's shim may be on PATH for a Python that is not there.
find_python() { # sets $python
    local candidates=(python3.13 python3.12 python3.11 python3) probe status incomplete='' old=''
    probe='import sys
if sys.version_info < (3, 11): sys.exit(3)
try: import ctypes, ensurepip, venv
except ImportError: sys.exit(4)'
    [[ -z $wanted_python ]] || candidates=("$wanted_python")
    for python in "${candidates[@]}"; do
        status=0
        "$python" -I -c "$probe" >/dev/null 2>&1 || status=$?
        ((status != 0)) || return 0
        ((status != 3)) || old=$python
        ((status != 4)) || incomplete=${incomplete:-$python}
    done
    [[ -z $incomplete ]] ||
        die "$incomplete has no ensurepip: run '$apt_install ${incomplete##*/}-venv'."
    [[ -z $wanted_python ]] || die "LARS_PYTHON=$wanted_python is not a Python 3.11 or newer that runs."
    [[ -z $old ]] ||
        die "$old is older than Python 3.11: run '$apt_install python3.11-venv', or set LARS_PYTHON."
    die "no Python 3.11 or newer here: run '$apt_install python3 python3-venv', or name one with LARS_PYTHON."
}

require_libseccomp() {
    "$python" -I -c 'import ctypes; ctypes.CDLL("libseccomp.so.2")' 2>/dev/null ||
        die "the library libseccomp.so.2 is missing: run '$apt_install libseccomp2'."
}

# Only a directory that is ours or empty: a mistyped LARS_VENV must not cost anyone a directory.
claim_directory() {
    local found
    # What it leads to may be another checkout's, which would be left without its stamps or without its packages.
    [[ ! -L ${venv%/} ]] ||
        die "$venv is a link and would have to be built: remove it, or set LARS_VENV to a directory."
    found=$(ls -A "$venv" 2>/dev/null) || true
    # Looked for last: what was found may be what another command has begun just now.
    if [[ -n $found && ! -d $venv/.lars ]]; then
        die "$venv was not made by these scripts: remove it, or set LARS_VENV to another directory."
    fi
    { mkdir -p "$venv/.lars" && : >>"$venv/.lars/lock"; } 2>/dev/null ||
        die "$venv is not writable for $(id -un): set LARS_VENV to a directory of yours."
}

pip_install() { # pip_install ARGUMENT...
    "$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input \
        --no-warn-script-location "$@" ||
        die "pip could not install the dependencies (its message is above): see to that, then run this again."
}

create_venv() {
    local former=$venv/.lars/former
    # Put aside, not removed: a service may be running from it, and pip may find no network.
    rm -rf "$former" && mkdir "$former" && move_environment "$venv" "$former" ||
        die "$python could not make a virtual environment in $venv."
    (fill_venv) || {
        find "$venv" -mindepth 1 -maxdepth 1 ! -name .lars -exec rm -rf -- {} + &&
            move_environment "$former" "$venv" && rmdir "$former"
        exit 1
    }
    rm -rf "$former"
}

move_environment() { # move_environment FROM TO
    find "$1" -mindepth 1 -maxdepth 1 ! -name .lars -exec mv -t "$2" -- {} +
}

fill_venv() {
    "$python" -I -m venv "$venv" || die "$python could not make a virtual environment in $venv."
    pip_install --require-hashes --requirement "$root/requirements.lock"
    pip_install --no-deps --no-build-isolation --editable "$root"
}

build_venv() { # build_venv KIND, with the lock held
    local fresh=yes
    find_python
    require_libseccomp
    # A current runtime without anything stale on top is only added to; anything else starts from nothing.
    if is_current runtime && [[ ! -e $venv/.lars/dev ]] && { [[ ! -e $venv/.lars/llm ]] || is_current llm; }; then
        fresh=no
    fi
    rm -f "$venv/.lars/runtime" "$venv/.lars/llm" "$venv/.lars/dev" "$venv/.lars/load" || die "$venv is not writable for $(id -un)."
    if [[ $fresh == yes ]]; then
        echo "${0##*/}: setting up $venv with $("$python" -I --version) (once, under a minute)" >&2
        create_venv
    fi
    if [[ $1 != runtime ]]; then
        echo "${0##*/}: adding ${additions[$1]} (once, under a minute)" >&2
        # Pinned sources are built with the pinned setuptools that is already installed.
        pip_install --require-hashes --use-pep517 --no-build-isolation --requirement "$(lock_of "$1")"
        write_stamp "$1" || die "$venv is not writable for $(id -un)."
    fi
    write_stamp runtime || die "$venv is not writable for $(id -un)."
}

ensure_venv() { # ensure_venv KIND
    ! is_current "$1" || return 0
    if [[ $1 == llm ]] && is_current dev; then return 0; fi # it has them
    claim_directory
    (
        if ! flock --nonblock 9; then
            echo "${0##*/}: waiting for the set-up of $venv that another command has begun" >&2
            flock 9
        fi
        is_current "$1" || build_venv "$1"
    ) 9>>"$venv/.lars/lock"
}
