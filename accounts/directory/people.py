"""Find people and their groups in a directory, and let it judge a password.

django-auth-ldap does the searching, binding, escaping and the walk through nested groups, through its `_LDAPUser`
(hence its version is pinned exactly). What is ours:

- it swallows what goes wrong in a search, so that a directory that is down looks like an unknown person; ours raises;
- settings are a provider's, not Django's, and the account is made by accounts.arriving, not by it;
- a person who does not exist costs the directory as much as one with a wrong password;
- after a direct bind it searches and believes what it finds; here the entry that was found must take the password, too:
  with Active Directory one person's principal name can be another's account name.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from dataclasses import dataclass
from typing import Any

import ldap
import ldap.dn
import ldap.filter
from django_auth_ldap import config as groups_of
from django_auth_ldap.backend import LDAPBackend, _LDAPUser
from django_auth_ldap.config import LDAPSearch, LDAPSettings

from accounts.directory.failures import WrongPassword
from accounts.directory.servers import ReaderRefused, speak_over
from accounts.directory.settings import DirectorySettings
from accounts.directory.wire import Wire

logger = logging.getLogger("portal.directory")
# It writes names and filters.
logging.getLogger("django_auth_ldap").setLevel(logging.CRITICAL)

BINARY_IDS = frozenset({"objectguid", "objectsid"})

# What a directory may answer to a person's own name and password; nothing of it means that the directory is at fault.
NOT_YOU = (
    ldap.INVALID_CREDENTIALS,
    ldap.INAPPROPRIATE_AUTH,
    ldap.UNWILLING_TO_PERFORM,
    ldap.INSUFFICIENT_ACCESS,
    ldap.NO_SUCH_OBJECT,
    ldap.INVALID_DN_SYNTAX,
    ldap.CONSTRAINT_VIOLATION,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A person as the directory has them. Groups are there by their whole name and by their short one."""

    subject: str
    login_name: str
    display_name: str
    groups: tuple[str, ...]


def prove(
    settings: DirectorySettings, *, server: str, reader_password: str, name: str, password: str, until: float
) -> Entry:
    """Return the person of this name if the password is theirs.

    Raises WrongPassword where it is not or where there is no such person, ReaderRefused and ldap.LDAPError where the
    directory gives no verdict. An empty password is never sent: to a directory it means "nobody", who may come in.
    """
    if not password or "\x00" in password or "\x00" in name:
        raise WrongPassword
    person = _Person(settings, server=server, reader_password=reader_password, name=name, until=until)
    try:
        person.prove(password)
        return person.entry()
    finally:
        person.close()


def find(
    settings: DirectorySettings, *, server: str, reader_password: str, subject: str, until: float
) -> Entry | None:
    """Return the person with this unchanging id, or None where there is none any more, or none who is active.

    Raises ReaderRefused and ldap.LDAPError.
    """
    person = _Person(settings, server=server, reader_password=reader_password, name="", until=until)
    try:
        return person.entry() if person.find(subject) else None
    finally:
        person.close()


class PlainSearch(LDAPSearch):  # type: ignore[misc]
    """A search whose filter is final: the library would take a `%` in a group's name for a place to fill in."""

    def execute(self, connection: Any, filterargs: Any = (), escape: bool = True) -> Any:  # noqa: FBT001, FBT002 (the library's)
        """Return what is found."""
        doubled = LDAPSearch(self.base_dn, self.scope, self.filterstr.replace("%", "%%"), self.attrlist)
        return doubled.execute(connection)


class _Directory(LDAPBackend):  # type: ignore[misc]
    """The library's back end with the settings of one provider."""

    def __init__(self, settings: DirectorySettings, *, reader_password: str) -> None:
        direct = settings.bind == "direct"
        defaults = {
            "BIND_DN": settings.bind_dn,
            "BIND_PASSWORD": reader_password,
            "USER_SEARCH": LDAPSearch(
                settings.user_base, ldap.SCOPE_SUBTREE, _user_filter(settings), _attributes(settings)
            ),
            "USER_DN_TEMPLATE": settings.user_dn if direct else None,
            "BIND_AS_AUTHENTICATING_USER": direct,
            "REFRESH_DN_ON_BIND": direct,
            "GROUP_TYPE": _group_type(settings),
            "GROUP_SEARCH": PlainSearch(
                settings.group_base, ldap.SCOPE_SUBTREE, settings.group_filter, ["cn"]
            ),
        }
        # No setting of Django's begins like this; all of them are given here.
        self._settings = LDAPSettings("NOT_A_SETTING_", defaults)


class _Person(_LDAPUser):  # type: ignore[misc]
    """The library's user of one conversation with one server."""

    _connection: Any = None
    _wire: Wire | None = None

    def __init__(
        self, settings: DirectorySettings, *, server: str, reader_password: str, name: str, until: float
    ) -> None:
        super().__init__(_Directory(settings, reader_password=reader_password), username=name)
        self._directory, self._server, self._until = settings, server, until

    def prove(self, password: str) -> None:
        """Return if the directory takes the password for this person. Raises WrongPassword."""
        try:
            self._authenticate_user_dn(password)
            if self._directory.bind == "direct":
                self._bind_as(self._user_dn or "", password, sticky=True)
        except (self.AuthenticationFailed, ldap.INVALID_CREDENTIALS):
            if self._user_dn is None:
                self._knock_in_vain()
            raise WrongPassword from None

    def find(self, subject: str) -> bool:
        """Look the person up by id; return whether there is one."""
        settings = self._directory
        term = f"({settings.id_attribute}={_escaped_id(settings, subject)})"
        search = PlainSearch(
            settings.user_base,
            ldap.SCOPE_SUBTREE,
            f"(&{term}{settings.active_filter})",
            _attributes(settings),
        )
        return self._take(search.execute(self.connection))

    def entry(self) -> Entry:
        """Return what the directory says of the person."""
        settings, attributes = self._directory, self.attrs or {}
        groups: set[str] = set()
        if settings.groups != "none":
            groups = {_normal(dn) for dn in self.group_dns} | {name for name in self.group_names if name}
        return Entry(
            subject=_id_text(settings, attributes),
            login_name=_first(attributes, settings.login_attribute),
            display_name=_first(attributes, settings.name_attribute),
            groups=tuple(sorted(groups)),
        )

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            try:
                self._connection.unbind_s()
            except ldap.LDAPError:
                logger.debug("a directory hung up first")
        if self._wire is not None:
            self._wire.close()

    @property
    def connection(self) -> Any:
        """Return the connection, bound as whoever reads; asked for before each search. Raises ldap.TIMEOUT when due."""
        if time.monotonic() > self._until:
            raise ldap.TIMEOUT
        return super().connection

    def _get_connection(self) -> Any:
        if self._connection is None:
            self._wire = Wire(self._server, self._directory, until=self._until)
            self._connection = speak_over(self._wire, self._server, self._directory)
        return self._connection

    def _bind(self) -> None:
        try:
            super()._bind()
        except ldap.INVALID_CREDENTIALS:
            raise ReaderRefused from None

    def _bind_as(self, bind_dn: str, bind_password: str, sticky: bool = False) -> None:  # noqa: FBT001, FBT002 (the library's)
        if bool(bind_dn) != bool(bind_password):
            # Half of it would be "nobody", whom many directories let in; neither is how an open one is read.
            raise ldap.INVALID_CREDENTIALS
        try:
            super()._bind_as(bind_dn, bind_password, sticky=sticky)
        except NOT_YOU:
            raise ldap.INVALID_CREDENTIALS from None

    def _search_for_user_dn(self) -> str | None:
        search = self.settings.USER_SEARCH
        self._take(search.execute(self.connection, {"user": self._username}))
        return self._user_dn

    def _take(self, results: Any) -> bool:
        """Keep the one person who was found. Two are nobody: which of them is meant?"""
        found = list(results)
        if len(found) > 1:
            logger.warning("a directory knows several people by one name or id; none of them is let in")
        self._user_dn = None
        if len(found) == 1:
            self._user_dn, self._user_attrs = found[0]
        return len(found) == 1

    def _knock_in_vain(self) -> None:
        """Let the directory refuse somebody who does not exist, as it would refuse a wrong password."""
        try:
            self._bind_as(f"cn={secrets.token_hex(8)},{self._directory.user_base}", secrets.token_hex(8))
        except ldap.INVALID_CREDENTIALS:
            return


class ReaderOnly(_Person):
    """The portal's own view of a directory, without anybody's password: for a trial."""

    def sign_in(self) -> None:
        """Sign in as the reader. Raises ReaderRefused and ldap.LDAPError."""
        self._bind()

    def look_at(self, base: str) -> None:
        """Return if the entry is there. Raises ldap.LDAPError."""
        self.connection.search_s(base, ldap.SCOPE_BASE, "(objectClass=*)", ["1.1"])

    def is_there(self) -> bool:
        """Return whether just one active person has the name."""
        return self._search_for_user_dn() is not None

    def title(self) -> str:
        """Return what the person is called."""
        return _first(self._user_attrs or {}, self._directory.name_attribute)


def _user_filter(settings: DirectorySettings) -> str:
    """Return the filter that finds an active person by name, with one place to fill in."""
    active = settings.active_filter.replace("%", "%%")
    return f"(&{settings.user_filter}{active})" if active else settings.user_filter


def _attributes(settings: DirectorySettings) -> list[str]:
    """Return what is asked for, by name: an unchanging id is often operational and does not come by itself."""
    named = [settings.login_attribute, settings.name_attribute, settings.id_attribute]
    return [*dict.fromkeys([*named, "uid", "gidNumber"])]


def _group_type(settings: DirectorySettings) -> Any:
    kinds = {
        "names": (groups_of.GroupOfNamesType, groups_of.NestedGroupOfNamesType),
        "unique_names": (groups_of.GroupOfUniqueNamesType, groups_of.NestedGroupOfUniqueNamesType),
        "active_directory": (groups_of.ActiveDirectoryGroupType, groups_of.NestedActiveDirectoryGroupType),
        "posix": (groups_of.PosixGroupType, groups_of.PosixGroupType),
    }
    plain, nested = kinds.get(settings.groups, kinds["names"])
    return (nested if settings.nested else plain)()


def _normal(dn: str) -> str:
    try:
        return str(ldap.dn.dn2str(ldap.dn.str2dn(dn)))
    except ldap.DECODING_ERROR:
        return dn


def _first(attributes: Any, name: str) -> str:
    values = attributes.get(name) or [""]
    return values[0] if isinstance(values[0], str) else ""


def _id_text(settings: DirectorySettings, attributes: Any) -> str:
    """Return the id as text: what is binary in hexadecimal digits. "" where there is none."""
    values = attributes.get(settings.id_attribute) or [""]
    value = values[0]
    if settings.id_attribute.lower() in BINARY_IDS:
        # The library makes text of what happens to be UTF-8.
        return (value if isinstance(value, bytes) else value.encode()).hex()
    return value.strip().lower() if isinstance(value, str) else ""


def _escaped_id(settings: DirectorySettings, subject: str) -> str:
    if settings.id_attribute.lower() in BINARY_IDS:
        with contextlib.suppress(
            ValueError
        ):  # Typed by an administrator, it may be no such id: nobody has it then.
            return "".join(f"\\{byte:02x}" for byte in bytes.fromhex(subject))
    return str(ldap.filter.escape_filter_chars(subject))
