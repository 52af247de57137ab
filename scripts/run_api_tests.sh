#!/usr/bin/env bash
# Asks every endpoint of a running service with curl and keeps what came back: scripts/run_api_tests.sh [URL]
# A service that has keys needs one with the scopes execute and generate, in $LARS_API_KEY.
# Exit code 0 when every reply had the expected status and text.
set -euo pipefail

usage="usage: scripts/run_api_tests.sh [URL]   (default \$LARS_URL, or http://127.0.0.1:8000)"
case ${1-} in
-h | --help)
    echo "$usage"
    exit 0
    ;;
-*)
    printf 'run_api_tests.sh: unknown option %s.\n\n%s\n' "$1" "$usage" >&2
    exit 2
    ;;
esac
if (($# > 1)); then
    printf 'run_api_tests.sh: one URL, not %s arguments.\n\n%s\n' $# "$usage" >&2
    exit 2
fi
if ! command -v curl >/dev/null; then
    echo "run_api_tests.sh: curl is missing: run 'apt-get install curl'." >&2
    exit 1
fi

url=${1:-${LARS_URL:-http://127.0.0.1:8000}}
url=${url%/}
if ! curl --silent --output /dev/null --max-time 10 "$url/health"; then
    echo "run_api_tests.sh: $url does not answer: start the service with ./scripts/start_api.sh" >&2
    exit 1
fi
results=$(mktemp -d "${TMPDIR:-/tmp}/lars-api-tests.XXXXXX")
failures=0
# In a file of its own: on a command line everybody could read the key.
key=()
if [[ -n ${LARS_API_KEY-} ]]; then
    header=$(mktemp)
    trap 'rm -f "$header"' EXIT
    printf 'X-API-Key: %s\n' "$LARS_API_KEY" >"$header"
    key=(--header "@$header")
fi

# request NAME PATH [CURL ARGUMENT...]: the body goes to NAME.json, the headers to NAME.headers, sets $status
request() {
    local name=$1 path=$2
    shift 2
    status=$(curl --silent --show-error --max-time 60 --output "$results/$name.json" \
        --dump-header "$results/$name.headers" --write-out '%{http_code}' "${key[@]}" "$@" "$url$path") || status=000
}

# expect STATUS TEXT NAME PATH [CURL ARGUMENT...]
expect() {
    local wanted=$1 text=$2 name=$3
    shift 2
    request "$@"
    if [[ $status == "$wanted" ]] && grep --quiet --fixed-strings -- "$text" "$results/$name.json"; then
        echo "PASS  $name"
    else
        echo "FAIL  $name: status $status, expected $wanted and the text $text; see $results/$name.json"
        failures=$((failures + 1))
    fi
}

# execute STATUS TEXT NAME BODY
execute() {
    expect "$1" "$2" "$3" /execute --header 'Content-Type: application/json' --data-binary "$4"
}

expect 200 '"healthy"' health /health
expect 200 '"ok"' healthz /healthz
expect 200 '' readyz /readyz
expect 200 '"layers"' capabilities /capabilities
execute 200 'Hello, world!\n' hello '{"code": "print('"'Hello, world!'"')", "timeout": 10,
    "memory_limit": "100m", "cpu_limit": 0.5, "validate_code": true}'
execute 200 '"result":3.0' mean '{"code": "result = sum(data['"'numbers'"']) / len(data['"'numbers'"'])",
    "data": {"numbers": [1, 2, 3, 4, 5]}}'
execute 200 '"result":3' sum '{"code": "result = data[\"x\"] + data[\"y\"]", "data": {"x": 1, "y": 2}}'
execute 200 'desserts\n' stdin '{"code": "print(input()[::-1])", "stdin": "stressed\n"}'
execute 200 'ZeroDivisionError' exception '{"code": "1 / 0"}'
execute 200 '"exit_code":124' timeout '{"code": "while True: pass", "timeout": 1}'
execute 422 'timeout' ceiling '{"code": "1", "timeout": 1000000000}'
execute 422 'timeout' unknown_member '{"code": "1", "time_out": 3}'
execute 400 '"error"' malformed '{"code": '
expect 415 '"error"' not_json /execute --header 'Content-Type: text/plain' --data-binary 'code=1'

# generate NAME BODY: what a service without a language model does not offer is no failure
generate() {
    local name=$1 reply=$results/$1.json
    request "$name" /generate-and-execute --header 'Content-Type: application/json' --data-binary "$2"
    if [[ $status == 200 ]] && grep --quiet --fixed-strings '"generated_code"' "$reply"; then
        echo "PASS  $name"
    elif [[ $status == 404 ]]; then
        echo "----  $name: /generate-and-execute is not offered by this server"
    elif [[ $status == 503 ]] && grep --quiet --fixed-strings '"planner_not_configured"' "$reply"; then
        echo "----  $name: this server has no language model to ask; see $reply"
    else
        echo "FAIL  $name: status $status; see $reply"
        failures=$((failures + 1))
    fi
}

execute 200 '"validation_result":"' reviewed '{"code": "print(6 * 7)", "validate_code": true}'
generate query '{"query": "Calculate the first 10 prime numbers", "timeout": 15, "memory_limit": "200m",
    "cpu_limit": 0.5}'
generate query_with_data '{"query": "Put the mean of the numbers into result", "data": {"numbers": [1, 2, 3]}}'

echo "$failures failed; replies and headers are in $results"
((failures == 0))
