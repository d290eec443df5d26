#!/usr/bin/env bash
# Install locked requirements: install.sh VENV FILE… (every file is checked against its hashes; uv if it can be had, else pip).
set -euo pipefail
venv=$1; shift
args=(); for file in "$@"; do args+=(-r "$file"); done
if [ ! -x "$venv/bin/uv" ]; then
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/uv.txt || true
fi
echo "Installing $*"
# uv does not read pip's settings: an organisation's own index and certificates are handed on.
index=$("$venv/bin/python" -m pip config get global.index-url 2>/dev/null || true)
[ -z "${PIP_INDEX_URL:-$index}" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$index}}"
[ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
if [ ! -x "$venv/bin/uv" ] || ! "$venv/bin/uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes "${args[@]}"; then
  "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes "${args[@]}"
fi
