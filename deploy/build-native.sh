#!/usr/bin/env bash
# Build the native engine for this very processor into a virtual environment: build-native.sh VENV. Once done, it does nothing.
# A wheel that was built for the same processor, version and options is used again from the cache of the user who built it.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
processor=$("$venv/bin/python" -m inference.engines.choice)
key=$(cat requirements/native.txt deploy/native/* deploy/build-native.sh <(echo "$processor") | sha256sum | cut -c1-16)
[ "$(cat "$venv/.native" 2>/dev/null)" = "$processor $key" ] && exit 0
rm -f "$venv/.native"

missing=()
command -v gcc >/dev/null || missing+=(gcc)
command -v g++ >/dev/null || missing+=(g++)
command -v cmake >/dev/null || missing+=(cmake)
command -v ninja >/dev/null || missing+=(ninja-build)
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "The native engine needs these packages. As root: apt-get install --no-install-recommends ${missing[*]} libc6-dev" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" libc6-dev >/dev/null
fi

bash deploy/install.sh "$venv" requirements/native-build.txt
cache="${XDG_CACHE_HOME:-$HOME/.cache}/qwen-portal/native/$key"
if ! ls "$cache"/*.whl >/dev/null 2>&1; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  echo "Building llama.cpp for this processor: two minutes on two cores"
  export CMAKE_GENERATOR=Ninja
  export CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DCMAKE_PROJECT_llama_cpp_INCLUDE=$PWD/deploy/native/options.cmake"
  if ! "$venv/bin/python" -m pip wheel --disable-pip-version-check --verbose --no-deps --no-build-isolation \
      --require-hashes --no-binary :all: --no-cache-dir -r requirements/native.txt -w "$work" 2>&1 | tee "$work/log" \
      | awk 'match($0, /\[[0-9]+\/[0-9]+\]/) { split(substr($0, RSTART + 1, RLENGTH - 2), n, "/"); p = int(10 * n[1] / n[2]) * 10
                                               if (p > shown) { shown = p; print "  " p " %"; fflush() } }'; then
    tail -40 "$work/log" >&2
    exit 1
  fi
  mkdir -p "$cache"
  mv "$work"/*.whl "$cache/"
fi
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-index --force-reinstall "$cache"/*.whl
"$venv/bin/python" -c "from inference.engines.native.bindings import open_library; open_library().llama_backend_init()"
echo "$processor $key" >"$venv/.native"
echo "The native engine is built; PORTAL_ENGINE=auto uses it"
