#!/usr/bin/env bash
# Make an empty virtual environment with pip in it: make-venv.sh DIRECTORY (interpreter: $PYTHON).
set -euo pipefail
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "Needs Python 3.11 or newer: apt-get install python3 python3-venv" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Needs Python 3.11 or newer, found $("$python" --version)" >&2; exit 1; }
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  [ "$(id -u)" = 0 ] || { echo "Needs Python's venv module. As root: apt-get install python3-venv" >&2; exit 1; }
  echo "Installing python3-venv"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
fi
echo "Creating $1"
rm -rf "$1"
"$python" -m venv "$1"
