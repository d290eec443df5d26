#!/usr/bin/env bash
# Add LDAP to a virtual environment: build-ldap.sh VENV. python-ldap has no wheels: it is compiled against the system's libldap. Once done, it does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
key=$(cat requirements/ldap.txt requirements/ldap-build.txt deploy/build-ldap.sh <("$venv/bin/python" -VV) | sha256sum | cut -c1-16)
[ "$(cat "$venv/.ldap" 2>/dev/null)" = "$key" ] && exit 0
rm -f "$venv/.ldap"

missing=()
command -v gcc >/dev/null || missing+=(gcc)
[ -e /usr/include/features.h ] || missing+=(libc6-dev)
[ -e /usr/include/ldap.h ] || missing+=(libldap2-dev)
[ -e /usr/include/sasl/sasl.h ] || missing+=(libsasl2-dev)
"$venv/bin/python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || missing+=(python3-dev)
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "LDAP needs these packages. As root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

bash deploy/install.sh "$venv" requirements/ldap-build.txt
echo "Compiling python-ldap: ten seconds"
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-build-isolation --require-hashes -r requirements/ldap.txt
"$venv/bin/python" -c "import ldap, django_auth_ldap"
echo "$key" >"$venv/.ldap"
