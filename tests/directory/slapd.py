"""Run Debian's slapd on free ports, with TLS, and fill it with a small company."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import ldap

from tests.directory.certificates import make_certificates
from tests.portal import free_port

SUFFIX = "dc=corp,dc=test"
ROOT, ROOT_PASSWORD = f"cn=root,{SUFFIX}", "root-of-all"
READER, READER_PASSWORD = f"cn=reader,{SUFFIX}", "heron-reads"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
START_TIMEOUT_S = 20

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
# Lets in whoever sends a name and no password, as many directories do: the portal must not fall for it.
allow bind_anon_cred
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{suffix}"
rootdn "{root}"
rootpw {root_password}
directory {folder}/db
index objectClass,uid,member,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
"""

# login: (common name, groups, more attributes)
STAFF: dict[str, tuple[str, tuple[str, ...], str]] = {
    "an": ("An Li", ("staff",), ""),
    "bo": ("Bo Wang", ("staff", "admins"), ""),
    "chen": ("Chen Yu", ("team",), ""),
    "dan": ("Dan Zhou", (), ""),
    "eve": ("Eve Wu", ("staff",), "employeeType: disabled\n"),
    "fay": ("Fay Sun", ("admins", "audit"), ""),
    "mei": ("Mei of the directory", ("staff",), ""),
    "wei": ("Wei of the directory", ("admins",), ""),
    "per": ("Per Cent", ("100% (all) * of us",), ""),
    "gu": ("Gu 顾", (), "gidNumber: 700\nuidNumber: 1\nhomeDirectory: /x\nobjectClass: posixAccount\n"),
}


def password_of(login: str) -> str:
    return f"{login} walks by the river"


def dn_of(login: str) -> str:
    return f"uid={login},{PEOPLE}"


def content() -> str:
    """Return the company as LDIF. `team` is in `unit`, `unit` in `staff`, and `staff` in `team`: a ring."""
    parts = [
        f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: corp\ndc: corp",
        *(f"dn: {dn}\nobjectClass: organizationalUnit\nou: {dn[3:9]}" for dn in (PEOPLE, GROUPS)),
        f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        f"userPassword: {READER_PASSWORD}",
    ]
    for login, (name, _groups, more) in STAFF.items():
        parts.append(
            f"dn: {dn_of(login)}\nobjectClass: inetOrgPerson\nuid: {login}\ncn: {name}\nsn: {name}\n"
            f"mail: all@corp.test\nuserPassword: {password_of(login)}\n{more}".rstrip()
        )
    members: dict[str, list[str]] = {}
    for login, (_name, groups, _more) in STAFF.items():
        for group in groups:
            members.setdefault(group, []).append(dn_of(login))
    for inner, outer in (("team", "unit"), ("unit", "staff"), ("staff", "team")):
        members.setdefault(outer, []).append(f"cn={inner},{GROUPS}")
    for group, dns in members.items():
        lines = "".join(f"\nmember: {dn}" for dn in dns)
        parts.append(f"dn: cn={group},{GROUPS}\nobjectClass: groupOfNames\ncn: {group}{lines}")
    parts.append(f"dn: cn=posix,{GROUPS}\nobjectClass: posixGroup\ncn: posix\ngidNumber: 701\nmemberUid: an")
    parts.append(f"dn: cn=primary,{GROUPS}\nobjectClass: posixGroup\ncn: primary\ngidNumber: 700")
    parts.append(
        f"dn: cn=unique,{GROUPS}\nobjectClass: groupOfUniqueNames\ncn: unique\nuniqueMember: {dn_of('an')}"
    )
    return "\n\n".join(parts) + "\n"


class Slapd:
    """One server with its folder. `plain` speaks without TLS and with StartTLS, `tls` with TLS from the start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "db").mkdir(parents=True)
        self.ca = make_certificates(folder)
        self.plain, self.tls = f"ldap://127.0.0.1:{free_port()}", f"ldaps://127.0.0.1:{free_port()}"
        self.file = folder / "slapd.conf"
        self.file.write_text(
            CONFIGURATION.format(folder=folder, suffix=SUFFIX, root=ROOT, root_password=ROOT_PASSWORD)
        )
        (folder / "content.ldif").write_text(content(), encoding="utf-8")
        subprocess.run(
            ["/usr/sbin/slapadd", "-f", self.file, "-l", folder / "content.ldif"],
            check=True,
            capture_output=True,
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Slapd:
        """Start, and return when it answers."""
        command = ["/usr/sbin/slapd", "-f", str(self.file), "-h", f"{self.plain} {self.tls}", "-d", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert self._process.poll() is None, "slapd ended"
            assert time.monotonic() < deadline, "slapd does not answer"
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def change(self, dn: str, **values: str | None) -> None:
        """Replace attributes, or take them away with None."""
        connection = self._as_root()
        changes = [
            (ldap.MOD_REPLACE, name, [value.encode()] if value is not None else None)
            for name, value in values.items()
        ]
        connection.modify_s(dn, changes)
        connection.unbind_s()

    def rename(self, login: str, new: str) -> None:
        """Give somebody another name; the unchanging id stays."""
        connection = self._as_root()
        connection.rename_s(dn_of(login), f"uid={new}")
        connection.unbind_s()

    def set_member(self, login: str, group: str, *, is_in: bool) -> None:
        """Put somebody into a group, or take them out."""
        connection = self._as_root()
        act = ldap.MOD_ADD if is_in else ldap.MOD_DELETE
        connection.modify_s(f"cn={group},{GROUPS}", [(act, "member", [dn_of(login).encode()])])
        connection.unbind_s()

    def delete(self, login: str) -> None:
        """Take somebody out of the directory."""
        connection = self._as_root()
        connection.delete_s(dn_of(login))
        connection.unbind_s()

    def _as_root(self) -> ldap.ldapobject.LDAPObject:
        connection = ldap.initialize(self.plain)
        connection.simple_bind_s(ROOT, ROOT_PASSWORD)
        return connection

    def _answers(self) -> bool:
        try:
            self._as_root().unbind_s()
        except ldap.LDAPError:
            return False
        return True
