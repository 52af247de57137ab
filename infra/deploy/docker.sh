# shellcheck shell=bash
# Sourced by scripts/deploy.sh: the service as a container of Docker or Podman (docs/docker.md).
#
#   deploy_docker [ADDRESS:]PORT ENV_FILE [BUILD_ARGUMENT...]
#       Builds the image and has the container `lars` run it with the settings of ENV_FILE ('' for none); the
#       rest goes to scripts/build_docker_image.sh. Without ADDRESS only this machine is served. Done again, it
#       changes nothing where nothing differs; a container that does not become ready gives way to the one before.
#   uninstall_docker [--purge]
#       Removes the container, and with --purge its data and its image. Without any it does nothing.
#
# Needs $root (the checkout), die, say and value_in, as deploy.sh has them. The clients of language models are built in where
# ENV_FILE has a key of one.

docker_image=lars docker_container=lars docker_volume=lars-data
docker_apparmor_profile=lars-container
docker_ready_seconds=60

docker_find_engine() { # sets $docker_engine
    for docker_engine in docker podman; do
        ! "$docker_engine" version >/dev/null 2>&1 || return 0
    done
    die "neither docker nor podman works here: start Docker's daemon, or 'apt-get install podman'."
}

# infra/compose.yaml says the same; a test compares the two.
docker_set_options() { # docker_set_options ENV_FILE; sets $docker_options
    local apparmor=${APPARMOR:-unconfined} stop=30 drain=''
    [[ -z $1 ]] || drain=$(value_in "$1" LARS_DRAIN_SECONDS)
    [[ ! $drain =~ ^[0-9]{1,6} ]] || stop=$((10#${BASH_REMATCH[0]} + 20 > stop ? 10#${BASH_REMATCH[0]} + 20 : stop))
    # Docker's own AppArmor profile denies mount. Ours, where it is loaded, is better than none; only root can see.
    if [[ -z ${APPARMOR-} ]] && grep -q "^$docker_apparmor_profile " /sys/kernel/security/apparmor/profiles 2>/dev/null; then
        apparmor=$docker_apparmor_profile
    fi
    docker_options=(
        --read-only
        --tmpfs /tmp:size=64m,mode=1777,noexec,nosuid,nodev
        --cap-drop ALL
        --security-opt no-new-privileges
        --security-opt "seccomp=$root/infra/docker-seccomp.json"
        --security-opt "apparmor=$apparmor"
        --memory 4g
        --pids-limit 4096
        --stop-timeout "$stop"
        --restart unless-stopped
        --volume "$docker_volume:/var/lib/lars"
    )
}

# The engines' own reading of such a file knows no quotes and no comments behind a value.
docker_environment() { # docker_environment ENV_FILE: NAME=value lines
    [[ -n $1 ]] || return 0
    "$docker_engine" run --rm --interactive --network none --entrypoint python "$docker_image" -I -c '
import sys
import service.settings
from service.env_file import EnvFileError, load_env_file
try:
    values = load_env_file("/dev/stdin")
except EnvFileError as error:
    sys.exit(str(error))
for name, value in values.items():
    if "\n" in value:
        sys.exit(f"{name} has more than one line, which no container engine can be told")
    if name not in ("LARS_HOST", "LARS_PORT", "LARS_DATA_ROOT"):  # those of the image
        print(f"{name}={value}")
' <"$1" || die "$1 cannot be used: what is wrong with it is said above."
}

docker_asks_models() { # docker_asks_models ENV_FILE
    local name='(OPENAI|ANTHROPIC|TOGETHER)_API_KEY|LARS_LLM_BASE_URL|OTEL_EXPORTER_OTLP_ENDPOINT'
    [[ -n $1 ]] && grep --extended-regexp "^[[:space:]]*(export[[:space:]]+)?($name)[[:space:]]*=" "$1" |
        grep --quiet --extended-regexp --invert-match "=[[:space:]]*(none|\"none\"|''|\"\")?[[:space:]]*(#.*)?\$"
}

docker_state() { # docker_state NAME: its fingerprint and whether it runs, or nothing
    "$docker_engine" container inspect "$1" \
        --format '{{index .Config.Labels "lars.fingerprint"}} {{.State.Running}}' 2>/dev/null || true
}

docker_is_ready() {
    "$docker_engine" exec "$docker_container" python -I -c '
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=4)
connection.request("GET", "/readyz")
sys.exit(connection.getresponse().status not in (200, 401))' >/dev/null 2>&1
}

docker_wait() { # whether it becomes ready; one that was started again has failed
    local deadline=$((SECONDS + docker_ready_seconds)) state='{{.State.Running}} {{.RestartCount}}'
    until docker_is_ready; do
        [[ $("$docker_engine" container inspect "$docker_container" --format "$state") == 'true 0' ]] &&
            ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

docker_answers() { # whether the container that runs is ready, or becomes so
    local deadline=$((SECONDS + docker_ready_seconds))
    until docker_is_ready; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

docker_remove() { # docker_remove NAME: stopped first, so that requests in flight end
    [[ -n $(docker_state "$1") ]] || return 0
    "$docker_engine" stop "$1" >/dev/null && "$docker_engine" rm --force "$1" >/dev/null ||
        die "the container $1 could not be removed: see '$docker_engine ps --all'."
}

docker_start() { # docker_start PUBLISH ENVIRONMENT FINGERPRINT: whether it becomes ready
    "$docker_engine" run --detach --name "$docker_container" --publish "$1:8000" \
        --label "lars.fingerprint=$3" --env-file <(printf '%s' "$2") "${docker_options[@]}" \
        "$docker_image" >/dev/null && docker_wait
}

docker_go_back() { # the container before takes the place of the one that did not become ready
    say "the new container did not become ready; the last it said:"
    "$docker_engine" logs --tail 15 "$docker_container" >&2 || true
    "$docker_engine" rm --force "$docker_container" >/dev/null 2>&1 || true
    if [[ -n $(docker_state "$docker_container-before") ]]; then
        "$docker_engine" rename "$docker_container-before" "$docker_container" &&
            "$docker_engine" start "$docker_container" >/dev/null && die "the one before runs again."
    fi
    die "nothing runs. docs/docker.md says what a container needs."
}

deploy_docker() { # deploy_docker [ADDRESS:]PORT ENV_FILE [BUILD_ARGUMENT...]
    local publish=$1 env_file=$2 environment fingerprint now models=()
    [[ $publish == *:* ]] || publish=127.0.0.1:$publish
    [[ -z $env_file || -r $env_file ]] || die "the file $env_file cannot be read: name another --env-file."
    docker_find_engine
    docker_set_options "$env_file"
    ! docker_asks_models "$env_file" || models=(--with-llm)
    "$root/scripts/build_docker_image.sh" --engine "$docker_engine" --tag "$docker_image" "${models[@]}" "${@:3}" ||
        die "the image could not be built: see above."
    environment=$(docker_environment "$env_file") || exit 1
    fingerprint=$({
        "$docker_engine" image inspect "$docker_image" --format '{{.Id}}'
        printf '%s\n' "$publish" "$environment" "${docker_options[@]}"
        cat "$root/infra/docker-seccomp.json"
    } | sha256sum)
    fingerprint=${fingerprint%% *}
    now=$(docker_state "$docker_container")
    if [[ $now == "$fingerprint true" ]] && docker_answers; then
        say "the container $docker_container runs already with all this."
    else
        if [[ -n $(docker_state "$docker_container-before") ]] && ! docker_is_ready; then
            docker_remove "$docker_container" # an earlier run was cut off: the good one is the one before
        else
            docker_remove "$docker_container-before"
        fi
        if [[ -n $(docker_state "$docker_container") ]]; then
            "$docker_engine" stop "$docker_container" >/dev/null &&
                "$docker_engine" rename "$docker_container" "$docker_container-before" ||
                die "the running container could not be put aside: see '$docker_engine ps --all'."
        fi
        docker_start "$publish" "$environment" "$fingerprint" || docker_go_back
        docker_remove "$docker_container-before"
    fi
    say "LARS is ready at http://$publish"
    say "its log: $docker_engine logs $docker_container"
    say "a key: $docker_engine exec $docker_container lars keys add --name NAME --env prod"
}

uninstall_docker() { # uninstall_docker [--purge]
    docker_find_engine
    docker_remove "$docker_container-before"
    docker_remove "$docker_container"
    if [[ ${1-} == --purge ]]; then
        ! "$docker_engine" volume inspect "$docker_volume" >/dev/null 2>&1 ||
            "$docker_engine" volume rm "$docker_volume" >/dev/null
        ! "$docker_engine" image inspect "$docker_image" >/dev/null 2>&1 ||
            "$docker_engine" image rm "$docker_image" >/dev/null
    fi
}
