#!/usr/bin/env bash
# Brings the files of /docs and /redoc, from the npm registry, to these versions:
#   scripts/update_docs_assets.sh SWAGGER_UI_VERSION REDOC_VERSION
# npm checks what it gets against the registry's digests. assets.json has the SHA-256 of each file as its
# package has it; here they lie compressed, which is how they are sent.
set -euo pipefail

if (($# != 2)); then
    echo "usage: scripts/update_docs_assets.sh SWAGGER_UI_VERSION REDOC_VERSION   (such as 5.35.0 2.5.3)" >&2
    exit 2
fi
if ! command -v npm >/dev/null; then
    echo "update_docs_assets.sh: npm is not on PATH: install it with 'apt install npm'." >&2
    exit 1
fi
cd "$(dirname "${BASH_SOURCE[0]}")/../service/system/assets"
assets=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

files=""
take() { # take PACKAGE VERSION LICENCE_FILES FILE...
    local package=$1 version=$2 licences=$3 file name
    shift 3
    mkdir "$work/$package"
    (cd "$work" && npm pack --silent "$package@$version" >/dev/null)
    tar -xzf "$work/$package-$version.tgz" -C "$work/$package" --strip-components=1
    for file in $licences; do
        cp "$work/$package/$file" "$assets/licences/$package.${file##*/}"
    done
    for file in "$@"; do
        name=${file##*/}
        gzip -9 --no-name --stdout "$work/$package/$file" >"$assets/$name.gz"
        files+="${files:+,
}    \"$name\": {\"package\": \"$package\", \"version\": \"$version\", \"sha256\": \"$(
            sha256sum "$work/$package/$file" | cut -d' ' -f1
        )\"}"
    done
}

mkdir -p licences
take swagger-ui-dist "$1" "LICENSE NOTICE swagger-ui-bundle.js.LICENSE.txt" swagger-ui-bundle.js swagger-ui.css
take redoc "$2" "LICENSE bundles/redoc.standalone.js.LICENSE.txt" bundles/redoc.standalone.js
printf '{\n  "files": {\n%s\n  }\n}\n' "$files" >assets.json
