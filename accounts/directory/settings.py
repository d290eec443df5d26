"""Read and check what an LDAP provider is configured with.

Nothing here speaks LDAP. What is stored is a plain dictionary (`clean_settings`); what the rest of this package works
with is `DirectorySettings`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

Security = Literal["starttls", "ldaps", "none"]
Bind = Literal["search", "direct"]
GroupKind = Literal["none", "names", "unique_names", "active_directory", "posix"]

PLACEHOLDER = "%(user)s"
MAX_SERVERS = 5
MAX_CHARS = 500
MAX_PEM_CHARS = 100_000
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9;-]{0,63}")


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """How a directory is reached and what in it means what.

    Times are seconds: `connect_s` to reach a server, `answer_s` for each of its answers. `user_filter` and `user_dn`
    hold `%(user)s` where the escaped user name goes. `active_filter` is what people must match as long as they may
    sign in; "" takes everybody that is found. `login_attribute` gives the account its user name, and `id_attribute`
    what never changes, not even with the name.
    """

    servers: tuple[str, ...] = ()
    security: Security = "starttls"
    ca_certificates: str = ""
    bind: Bind = "search"
    bind_dn: str = ""
    user_dn: str = ""
    user_base: str = ""
    user_filter: str = "(uid=%(user)s)"
    active_filter: str = ""
    login_attribute: str = "uid"
    name_attribute: str = "cn"
    id_attribute: str = "entryUUID"
    groups: GroupKind = "names"
    group_base: str = ""
    group_filter: str = "(objectClass=groupOfNames)"
    nested: bool = True
    connect_s: int = 3
    answer_s: int = 5

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> DirectorySettings:
        """Return the settings that `clean_settings` once let through."""
        return cls(**{**stored, "servers": tuple(stored["servers"])})


def clean_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings, checked, defaults filled in. Raises ValidationError, by field."""
    known = {field.name: field.default for field in fields(DirectorySettings)}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValidationError(_("There is no setting “%(name)s”."), params={"name": unknown[0]})
    merged = {name: given.get(name, default) for name, default in known.items()}
    faults: dict[str, ValidationError] = {}
    cleaned: dict[str, Any] = {}
    for name, clean in _CLEANERS.items():
        try:
            cleaned[name] = clean(merged[name])
        except ValidationError as error:
            faults[name] = error
    if not faults:
        faults = _faults_together(cleaned)
    if faults:
        raise ValidationError(cast(Any, faults))
    return asdict(DirectorySettings(**cleaned)) | {"servers": list(cleaned["servers"])}


def _faults_together(cleaned: dict[str, Any]) -> dict[str, ValidationError]:
    """Return what is wrong with settings that are each right by themselves."""
    needed: list[str] = ["user_base"]
    if cleaned["bind"] == "direct":
        needed.append("user_dn")
    if cleaned["groups"] != "none":
        needed += ["group_base", "group_filter"]
    faults = {name: ValidationError(_("This is needed.")) for name in needed if not cleaned[name]}
    scheme = "ldaps" if cleaned["security"] == "ldaps" else "ldap"
    if any(urlsplit(server).scheme != scheme for server in cleaned["servers"]):
        faults["servers"] = ValidationError(_("With this encryption addresses begin with %(scheme)s://"))
        faults["servers"].params = {"scheme": scheme}
    if cleaned["security"] == "none" and not all(map(_is_loopback, cleaned["servers"])):
        text = _("Without encryption, passwords could be read on the way: only for servers on this machine.")
        faults["security"] = ValidationError(text)
    return faults


def _servers(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split()
    servers = tuple(str(each).strip().rstrip("/") for each in cast(Any, value))
    if not 1 <= len(servers) <= MAX_SERVERS or len(set(servers)) < len(servers):
        raise ValidationError(_("Name one to five servers, each once."))
    if not all(map(_is_server, servers)):
        raise ValidationError(
            _("A server is written like ldap://directory.example.org or ldaps://10.0.0.5:636")
        )
    return servers


def _is_server(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = text == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc and text.isascii()
    host_ok = re.fullmatch(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}", parts.hostname or "") is not None
    return plain and parts.scheme in {"ldap", "ldaps"} and host_ok and (port is None or port > 0)


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _certificates(value: object) -> str:
    text = str(value).strip()
    if not text:
        return ""
    fault = ValidationError(_("These are no certificates in PEM form."))
    if len(text) > MAX_PEM_CHARS or "PRIVATE KEY" in text:
        raise fault
    try:
        load_pem_x509_certificates(text.encode())
    except ValueError:
        raise fault from None
    return text + "\n"


def _text(value: object) -> str:
    text = str(value).strip()
    if len(text) > MAX_CHARS or not text.isprintable():
        raise ValidationError(_("This is too long, or holds what cannot be printed."))
    return text


def _user_dn(value: object) -> str:
    text = _text(value)
    if text and (text.count(PLACEHOLDER) != 1 or "%" in text.replace(PLACEHOLDER, "")):
        raise ValidationError(
            _("%(placeholder)s must stand in it once."), params={"placeholder": PLACEHOLDER}
        )
    return text


def _user_filter(value: object) -> str:
    text = _text(value)
    if PLACEHOLDER not in text or "%" in text.replace(PLACEHOLDER, ""):
        raise ValidationError(_("%(placeholder)s must stand in it."), params={"placeholder": PLACEHOLDER})
    return _filter(text)


def _filter(value: object) -> str:
    text = _text(value)
    if text and not (text.startswith("(") and text.endswith(")") and _is_balanced(text)):
        raise ValidationError(_("A filter is written in parentheses, like (objectClass=person)"))
    return text


def _is_balanced(text: str) -> bool:
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 1 and place < len(text) - 1:
            return False
    return depth == 0


def _attribute(value: object) -> str:
    text = _text(value)
    if not _ATTRIBUTE.fullmatch(text):
        raise ValidationError(_("This is no name of an attribute."))
    return text


def _choice(choices: tuple[str, ...]) -> Callable[[object], str]:
    def clean(value: object) -> str:
        if value not in choices:
            raise ValidationError(_("Choose one of those that are offered."))
        return str(value)

    return clean


def _seconds(high: int) -> Callable[[object], int]:
    def clean(value: object) -> int:
        if (
            isinstance(value, bool)
            or not re.fullmatch(r"[0-9]{1,2}", str(value))
            or not 1 <= int(str(value)) <= high
        ):
            raise ValidationError(_("A whole number of seconds from 1 to %(high)s."), params={"high": high})
        return int(str(value))

    return clean


_CLEANERS: dict[str, Callable[[object], Any]] = {
    "servers": _servers,
    "security": _choice(get_args(Security)),
    "ca_certificates": _certificates,
    "bind": _choice(get_args(Bind)),
    "bind_dn": _text,
    "user_dn": _user_dn,
    "user_base": _text,
    "user_filter": _user_filter,
    "active_filter": _filter,
    "login_attribute": _attribute,
    "name_attribute": _attribute,
    "id_attribute": _attribute,
    "groups": _choice(get_args(GroupKind)),
    "group_base": _text,
    "group_filter": _filter,
    "nested": bool,
    "connect_s": _seconds(10),
    "answer_s": _seconds(15),
}
