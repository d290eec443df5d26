#!/usr/bin/env bash
# Install locked requirements: install.sh VENV FILE… (every file is checked against its hashes; uv if it can be had, else pip).
set -euo pipefail
venv=$1; shift
args=(); for file in "$@"; do args+=(-r "$file"); done
if [ ! -x "$venv/bin/uv" ]; then
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/uv.txt || true
fi
echo "Installing $*"
if [ -x "$venv/bin/uv" ]; then
  "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes "${args[@]}"
else
  "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes "${args[@]}"
fi
