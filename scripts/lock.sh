#!/usr/bin/env bash
# Writes the lock files anew, from the newest releases that pyproject.toml admits:
#   requirements.lock      what the service imports, and the build backend the editable install needs
#   requirements-llm.lock  the same releases, and what the planner's process imports
#   requirements-dev.lock  those of both, and what check.sh and test.sh use
#   requirements-load.lock those of the first, and what loadtest.sh uses
set -euo pipefail

if (($#)); then
    echo "usage: scripts/lock.sh   (takes no arguments; needs uv on PATH)" >&2
    exit 2
fi
if ! command -v uv >/dev/null; then
    echo "lock.sh: uv is not on PATH: install it with 'pip install uv' or 'pipx install uv'." >&2
    exit 1
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The build backend is no dependency of the project, yet --no-build-isolation takes it from the environment.
sed -n 's/^requires = \["\(.*\)"\]$/\1/p' pyproject.toml >"$work/build-system.in"
if [[ ! -s $work/build-system.in ]]; then
    echo "lock.sh: pyproject.toml has no line 'requires = [\"...\"]' under [build-system]." >&2
    exit 1
fi

# No annotations: they would name this machine's temporary directory.
compile() { # compile OUTPUT ARGUMENT...
    local output=$1
    shift
    {
        echo "# Made by scripts/lock.sh from pyproject.toml. Do not edit."
        uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 --generate-hashes \
            --no-emit-index-url --no-header --no-annotate "$@" pyproject.toml "$work/build-system.in"
    } >"$work/$output"
}
compile requirements.lock
compile requirements-llm.lock --extra llm --constraint "$work/requirements.lock"
compile requirements-dev.lock --extra dev --constraint "$work/requirements-llm.lock"
compile requirements-load.lock --extra load --constraint "$work/requirements.lock"
mv "$work"/requirements*.lock .
