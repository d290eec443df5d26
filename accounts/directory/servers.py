"""Ask one of a directory's servers after the other, and remember for a while which of them do not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import ldap

from accounts.directory.failures import DirectoryUnavailable, Fault
from accounts.directory.settings import DirectorySettings
from accounts.directory.wire import NoLine, NoTls, Wire

R = TypeVar("R")

# A server that did not answer is left alone this long, so that a dead one costs one wait and not one for everybody.
LEFT_ALONE_S = 10.0

UNREACHABLE = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.UNAVAILABLE, ldap.LOCAL_ERROR)
SLOW = (ldap.TIMEOUT, ldap.BUSY, ldap.TIMELIMIT_EXCEEDED, ldap.ADMINLIMIT_EXCEEDED)

_silent: dict[tuple[UUID, str, DirectorySettings], float] = {}
_lock = threading.Lock()


class ReaderRefused(Exception):
    """The directory does not take the name and password with which the portal reads it."""


def with_any_server(
    directory: UUID, settings: DirectorySettings, talk: Callable[[str, float], R], *, within_s: float
) -> R:
    """Return what `talk` returns with the first server that serves, given its address and when to be done.

    The first server is asked first; one that was silent just now is passed over. Raises DirectoryUnavailable with
    what was wrong with the last one.
    """
    until = time.monotonic() + within_s
    fault: Fault = "unreachable"
    for server in settings.servers:
        key = (directory, server, settings)
        if _was_silent(key):
            continue
        if time.monotonic() >= until:
            break
        try:
            return talk(server, until)
        except ReaderRefused:
            fault = "reader_refused"
        except (NoLine, NoTls, ldap.LDAPError) as error:
            fault = fault_of(error)
            if fault in ("unreachable", "no_answer", "tls"):
                _leave_alone(key)
    raise DirectoryUnavailable(fault)


def fault_of(error: NoLine | NoTls | ldap.LDAPError) -> Fault:
    """Return what an error of the line or of libldap means for the whole directory."""
    if isinstance(error, (NoLine, NoTls)):
        return "unreachable" if isinstance(error, NoLine) else "tls"
    if isinstance(error, SLOW):
        return "no_answer"
    if isinstance(error, UNREACHABLE):
        return "unreachable"
    return "no_such_base" if isinstance(error, (ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX)) else "refused"


def speak_over(wire: Wire, server: str, settings: DirectorySettings) -> Any:
    """Return libldap's side of a line to a server, on which nobody has signed in. Raises ldap.LDAPError."""
    # libldap sees the near end of the line, which is never encrypted.
    connection = ldap.initialize(server.replace("ldaps:", "ldap:", 1), bytes_mode=False, fileno=wire.fileno)
    for option, value in (
        (ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3),
        (ldap.OPT_REFERRALS, ldap.OPT_OFF),
        (ldap.OPT_TIMEOUT, float(settings.answer_s)),
    ):
        connection.set_option(option, value)
    return connection


def forget_silence() -> None:
    """Ask every server anew; for tests. Changed settings do so by themselves."""
    with _lock:
        _silent.clear()


def _was_silent(key: tuple[UUID, str, DirectorySettings]) -> bool:
    with _lock:
        return _silent.get(key, 0.0) > time.monotonic()


def _leave_alone(key: tuple[UUID, str, DirectorySettings]) -> None:
    now = time.monotonic()
    with _lock:
        for old in [known for known, until in _silent.items() if until < now]:
            del _silent[old]
        _silent[key] = now + LEFT_ALONE_S
