#!/usr/bin/env bash
# Install the Debian packages that the tests drive: a browser, Chinese fonts, PostgreSQL, Redis, gettext, minisign, slapd,
# and those that python-ldap is compiled against. As root; else says what to do.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
fc-list :lang=zh-cn 2>/dev/null | grep -q . || missing+=(fontconfig fonts-noto-cjk)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
command -v msgfmt >/dev/null && command -v xgettext >/dev/null || missing+=(gettext)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v minisign >/dev/null || missing+=(minisign)
[ -x /usr/sbin/slapd ] || missing+=(slapd)
command -v gcc >/dev/null || missing+=(gcc)
[ -e /usr/include/features.h ] || missing+=(libc6-dev)
[ -e /usr/include/ldap.h ] || missing+=(libldap2-dev)
[ -e /usr/include/sasl/sasl.h ] || missing+=(libsasl2-dev)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ]; then
  echo "The tests need these packages. As root: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
echo "Installing ${missing[*]}"
apt-get update -qq
# The tests start servers of their own; the one that the package slapd would start is not wanted.
[ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
