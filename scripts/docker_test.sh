#!/usr/bin/env bash
# Builds the image and runs it for real, with Podman and with Docker: tests/deploy/docker_live.py. Takes
# minutes, so neither test.sh nor continuous integration does it.
#
# As root, on Debian or Ubuntu. What it starts lives in namespaces of its own: neither the machine's network nor
# its containers are touched. Podman is installed where it is missing; Docker's daemon is only unpacked.
set -euo pipefail

usage="usage: scripts/docker_test.sh [--engine podman|docker] [--cache DIRECTORY] [-- BUILD_ARGUMENT...]

  --engine ENGINE      only with this one
  --cache DIRECTORY    base image, programs and images are kept there (default ~/.cache/lars-docker-test)
  -- BUILD_ARGUMENT... are handed to 'podman build', as for a mirror of PyPI: --build-arg PIP_INDEX_URL=URL"

refuse() { # refuse SENTENCE
    printf 'docker_test.sh: %s\n\n%s\n' "$1" "$usage" >&2
    exit 2
}

die() { # die SENTENCE
    echo "docker_test.sh: $1" >&2
    exit 1
}

engines=(podman docker) cache=${XDG_CACHE_HOME:-$HOME/.cache}/lars-docker-test suite=trixie
while (($#)); do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --engine | --cache)
        (($# > 1)) && [[ -n $2 ]] || refuse "$1 needs a value."
        if [[ $1 == --cache ]]; then cache=$(realpath -m "$2"); else engines=("$2"); fi
        shift 2
        ;;
    --)
        shift
        break
        ;;
    *) refuse "unknown option $1." ;;
    esac
done
[[ ${engines[0]} =~ ^(podman|docker)$ ]] || refuse "--engine is ${engines[0]}, not podman or docker."
((EUID == 0)) || die "only root can make the namespaces: run it with sudo."

. "$(dirname "${BASH_SOURCE[0]}")/_venv.sh"
ensure_venv dev
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache" "$work/bin"

install_missing() { # install_missing PACKAGE...
    local package missing=()
    for package; do
        dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            missing+=("$package")
    done
    ((${#missing[@]} == 0)) || {
        apt-get update --quiet=2
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
    }
}

make_base() { # what debian:trixie-slim has, and what the Dockerfile would install
    [[ ! -e $cache/$suite.tar ]] || return 0
    mmdebstrap --quiet --format=tar --variant=minbase --include=ca-certificates,libseccomp2,python3-venv,tzdata "$suite" \
        "$cache/$suite.tar.new"
    mv "$cache/$suite.tar.new" "$cache/$suite.tar"
}

unpack_docker() { # unpacked and not installed: a package would start the daemon
    [[ ! -x $cache/docker/usr/sbin/dockerd ]] || return 0
    (
        mkdir "$work/debs"
        chown _apt "$work" "$work/debs" # who downloads
        cd "$work/debs"
        apt-get download --quiet=2 containerd docker.io runc
        for package in ./*.deb; do dpkg-deb --extract "$package" "$cache/docker"; done
    )
}

# A podman with storage of its own, no systemd, and the network of its namespace. Where CAP_SYS_RESOURCE is
# missing its own limits are refused, so it is given others.
write_podman() {
    printf '[containers]\nnetns = "host"\n' >"$work/containers.conf"
    cat >"$work/bin/podman" <<END
#!/bin/sh
case \${1-} in
build | run)
    command=\$1
    shift
    set -- "\$command" --ulimit nofile=$(ulimit -Sn):$(ulimit -Hn) --ulimit nproc=4096:4096 "\$@"
    ;;
esac
export CONTAINERS_CONF=$work/containers.conf
exec /usr/bin/podman --root $cache/podman/images --runroot $cache/podman/run --tmpdir $cache/podman/tmp \\
    --cgroup-manager cgroupfs --events-backend file "\$@"
END
    chmod +x "$work/bin/podman"
}

# In namespaces whose mounts and processes go with it. Of a hybrid cgroup the engines are shown the first version.
in_namespaces() { # in_namespaces COMMAND...
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc bash -c '
        ! { mountpoint -q /sys/fs/cgroup/unified && [ -d /sys/fs/cgroup/memory ]; } || umount /sys/fs/cgroup/unified
        for directory in /dev/shm /run/crun /run/containers /run/libpod; do
            mkdir -p "$directory" && mount -t tmpfs tmpfs "$directory"
        done
        exec "$@"' - "$@"
}

alone() { # alone COMMAND...: with no network but a loopback interface of its own
    in_namespaces unshare --net bash -c 'ip link set lo up && exec "$@"' - "$@"
}

test_with() { # test_with ENGINE COMMAND...
    echo "docker_test.sh: with $1" >&2
    LARS_TEST_ENGINE=$1 PATH=$work/bin:$PATH "${@:2}" "$venv/bin/python" -m pytest -p no:cacheprovider --durations 8 \
        tests/deploy/docker_live.py
}

with_dockerd() { # with_dockerd COMMAND...: its daemon, the command, and the daemon's end
    local status=0 pid
    dockerd --data-root "$work/dockerd" --exec-root "$work/exec" --pidfile "$work/dockerd.pid" \
        --host "$DOCKER_HOST" --iptables=false --ip6tables=false >"$work/dockerd.log" 2>&1 &
    pid=$!
    for _ in {1..150}; do
        ! docker version >/dev/null 2>&1 || break
        sleep 0.2
    done
    docker load --quiet --input "$work/lars.tar" >/dev/null && docker tag localhost/lars lars-built && "$@" ||
        status=$?
    ((status == 0)) || tail -n 20 "$work/dockerd.log" >&2
    kill "$pid"
    wait "$pid" || true
    return "$status"
}

install_missing conmon crun iproute2 iptables mmdebstrap podman
make_base
write_podman
# As after a boot: nothing of an earlier test runs any more. The paths are written down in podman's database.
rm -rf "$cache/podman/run" "$cache/podman/tmp"
cd "$root"
export LARS_TEST_BUILD_ARGUMENTS
LARS_TEST_BUILD_ARGUMENTS=$(printf '%q ' --base localhost/lars-base -- "$@")
PATH=$work/bin:$PATH
in_namespaces podman import --quiet "$cache/$suite.tar" localhost/lars-base >/dev/null

status=0
for engine in "${engines[@]}"; do
    # With a network; the deployment builds again without one, from what is kept of this.
    in_namespaces scripts/build_docker_image.sh --engine podman --tag lars --base localhost/lars-base -- "$@"
    if [[ $engine == podman ]]; then
        # Not the machine's docker client, whose daemon may answer.
        printf '#!/bin/sh\nexit 1\n' >"$work/bin/docker"
        chmod +x "$work/bin/docker"
        test_with podman alone || status=$?
        rm "$work/bin/docker"
    else
        unpack_docker
        in_namespaces podman save --quiet --output "$work/lars.tar" localhost/lars
        # Its own builder would ask a registry for the base image: the image that Podman has built is taken.
        printf '#!/bin/sh\n[ "$1" != build ] || { shift; exec %s tag lars-built lars; }\nexec %s "$@"\n' \
            "$cache/docker/usr/bin/docker" "$cache/docker/usr/bin/docker" >"$work/bin/docker"
        chmod +x "$work/bin/docker"
        export DOCKER_HOST=unix://$work/docker.sock cache work
        export -f with_dockerd
        PATH=$cache/docker/usr/sbin:$cache/docker/usr/bin:$PATH test_with docker alone \
            bash -c 'set -uo pipefail; with_dockerd "$@"' - || status=$?
    fi
done
exit "$status"
