#!/usr/bin/env bash
# Builds the container image from this checkout: infra/Dockerfile, docs/docker.md.
set -euo pipefail

usage="usage: scripts/build_docker_image.sh [--tag NAME[:TAG]] [--with-llm] [--base IMAGE]
                                     [--engine docker|podman|buildah] [-- ARGUMENT...]

  --tag NAME[:TAG]   what the image is called (default lars)
  --with-llm         with the clients of language models (OpenAI, Anthropic, Together)
  --base IMAGE       the image to build on (default debian:trixie-slim, from docker.io)
  --engine ENGINE    what builds it (default: the first of docker, podman and buildah that works here)
  -- ARGUMENT...     are handed to the engine's build command"

refuse() { # refuse SENTENCE
    printf 'build_docker_image.sh: %s\n\n%s\n' "$1" "$usage" >&2
    exit 2
}

die() { # die SENTENCE
    echo "build_docker_image.sh: $1" >&2
    exit 1
}

works() { # works ENGINE: installed, and for docker its daemon answers
    command -v "$1" >/dev/null && { [[ $1 != docker ]] || docker version >/dev/null 2>&1; }
}

tag=lars engine='' arguments=()
while (($#)); do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --with-llm)
        arguments+=(--build-arg WITH_LLM=true)
        shift
        ;;
    --tag=* | --base=* | --engine=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    --tag | --base | --engine)
        (($# > 1)) && [[ -n $2 ]] || refuse "$1 needs a value."
        case $1 in
        --tag) tag=$2 ;;
        --base) arguments+=(--build-arg "BASE_IMAGE=$2") ;;
        --engine) engine=$2 ;;
        esac
        shift 2
        ;;
    --)
        shift
        arguments+=("$@")
        break
        ;;
    *) refuse "unknown option $1." ;;
    esac
done

case $engine in
'')
    for candidate in docker podman buildah; do
        if works "$candidate"; then
            engine=$candidate
            break
        fi
    done
    [[ -n $engine ]] ||
        die "none of docker, podman and buildah works here: start Docker's daemon, or 'apt-get install podman'."
    ;;
docker | podman | buildah)
    command -v "$engine" >/dev/null || die "$engine is not on PATH: install it, or name another --engine."
    works "$engine" || die "docker does not reach its daemon: start it, or name another --engine."
    ;;
*) refuse "--engine is $engine, not docker, podman or buildah." ;;
esac

# Images in the OCI format have no health check; layers are kept, so that another build is quick.
[[ $engine == docker ]] || arguments+=(--format docker --layers)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
"$engine" build --tag "$tag" --file infra/Dockerfile "${arguments[@]}" .
echo "build_docker_image.sh: $tag is built with $engine. How to run it: docs/docker.md" >&2
