"""Say what a form asks for each kind of provider: the settings that accounts.provider_kinds check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Input = Literal["text", "lines", "area", "choice", "flag", "seconds", "secret"]
Text = str | Promise


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in a form. A secret is only ever written."""

    name: str
    label: Text
    input: Input = "text"
    help: Text = ""
    choices: tuple[tuple[str, Text], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that belong together."""

    title: Text
    settings: tuple[Setting, ...]


SECURITY = (("starttls", "StartTLS"), ("ldaps", "LDAPS"), ("none", _("None (this machine only)")))
BIND = (("search", _("Search first, then bind")), ("direct", _("Bind directly")))
GROUP_KINDS: tuple[tuple[str, Text], ...] = (
    ("names", "groupOfNames"),
    ("unique_names", "groupOfUniqueNames"),
    ("active_directory", "Active Directory"),
    ("posix", "posixGroup"),
    ("none", _("No groups")),
)
CERTIFICATES = Setting(
    "ca_certificates",
    _("Certificates of the authority"),
    "area",
    _("In PEM form. Empty: the authorities that the portal's system trusts."),
)

LDAP = (
    Section(
        _("Servers"),
        (
            Setting("servers", _("Servers"), "lines", _("One on each line; the first that answers serves.")),
            Setting("security", _("Encryption"), "choice", choices=SECURITY),
            CERTIFICATES,
            Setting("connect_s", _("Seconds to reach a server"), "seconds"),
            Setting("answer_s", _("Seconds for an answer"), "seconds"),
        ),
    ),
    Section(
        _("People"),
        (
            Setting("bind", _("How people are checked"), "choice", choices=BIND),
            Setting(
                "bind_dn",
                _("Name of the reader"),
                help=_("The account with which the portal reads the directory."),
            ),
            Setting("bind_password", _("Password of the reader"), "secret"),
            Setting("user_dn", _("Name to bind directly"), help="uid=%(user)s,ou=people,dc=example,dc=org"),
            Setting("user_base", _("Where people are"), help="ou=people,dc=example,dc=org"),
            Setting(
                "user_filter", _("Filter of a person"), help="(uid=%(user)s) · (sAMAccountName=%(user)s)"
            ),
            Setting(
                "active_filter",
                _("Filter of those who may sign in"),
                help="(!(userAccountControl:1.2.840.113556.1.4.803:=2))",
            ),
            Setting("login_attribute", _("Attribute of the user name"), help="uid · sAMAccountName"),
            Setting("name_attribute", _("Attribute of the name"), help="cn · displayName"),
            Setting("id_attribute", _("Attribute that never changes"), help="entryUUID · objectGUID"),
        ),
    ),
    Section(
        _("Groups"),
        (
            Setting("groups", _("Kind of groups"), "choice", choices=GROUP_KINDS),
            Setting("group_base", _("Where groups are"), help="ou=groups,dc=example,dc=org"),
            Setting(
                "group_filter",
                _("Filter of a group"),
                help="(objectClass=groupOfNames) · (objectClass=group)",
            ),
            Setting("nested", _("Groups within groups count"), "flag"),
        ),
    ),
)

CAS = (
    Section(
        _("Server"),
        (
            Setting("server_url", _("Address of the CAS server"), help="https://cas.example.org/cas/"),
            CERTIFICATES,
            Setting("renew", _("Ask for the password each time"), "flag"),
        ),
    ),
    Section(
        _("People"),
        (
            Setting(
                "id_attribute", _("Attribute that never changes"), help=_("Empty: the user name itself.")
            ),
            Setting(
                "login_attribute", _("Attribute of the user name"), help=_("Empty: the user name itself.")
            ),
            Setting("name_attribute", _("Attribute of the name")),
            Setting("groups_attribute", _("Attribute of the groups")),
        ),
    ),
)

OIDC = (
    Section(
        _("Provider"),
        (
            Setting("issuer", _("Issuer"), help=_("Letter by letter as the provider calls itself.")),
            Setting("client_id", _("Client id")),
            Setting("client_secret", _("Client secret"), "secret"),
            Setting("scopes", _("Scopes"), "lines", _("One on each line.")),
            CERTIFICATES,
            Setting("front_channel_logout", _("Sign-out through the browser"), "flag"),
        ),
    ),
    Section(
        _("People"),
        (
            Setting("login_claim", _("Claim of the user name")),
            Setting("name_claim", _("Claim of the name")),
            Setting("groups_claim", _("Claim of the groups")),
        ),
    ),
)

SECTIONS: dict[str, tuple[Section, ...]] = {"ldap": LDAP, "cas": CAS, "oidc": OIDC}


def settings_of(kind: str) -> list[Setting]:
    """Return every setting of a kind."""
    return [setting for section in SECTIONS[kind] for setting in section.settings]
