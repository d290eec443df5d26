"""Hash passwords at a price that the portal can pay for everybody who knocks.

One password is compared at a time in each process, which bounds the memory that strangers can make the portal take.
Attempts on one account wait for each other, which keeps the lockout exact: one is counted before the next is looked at.
An attempt that waits for an organisation's directory holds up nobody else's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import Argon2PasswordHasher

from common.errors import PortalError, _

WAIT_S = 10
_comparing = threading.Lock()
_attempts: dict[str, tuple[threading.Lock, int]] = {}
_attempts_lock = threading.Lock()


class TooManySignIns(PortalError):
    """So many people sign in at this moment that this attempt would wait too long."""

    code = "too_many_sign_ins"
    http_status = 503
    message = _("Too many people are signing in at this moment. Please try again shortly.")


class PortalArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 46 MiB, one pass, one lane (OWASP Password Storage Cheat Sheet, first choice)."""

    time_cost = 1
    memory_cost = 47_104
    parallelism = 1


@contextmanager
def one_comparison() -> Iterator[None]:
    """Wait for one's turn to compare a password. Raises TooManySignIns after 10 s."""
    if not _comparing.acquire(timeout=WAIT_S):
        raise TooManySignIns(retry_after_ms=WAIT_S * 1000)
    try:
        yield
    finally:
        _comparing.release()


@contextmanager
def one_attempt(handle: str) -> Iterator[None]:
    """Wait for one's turn to sign in as this account. Raises TooManySignIns after 10 s."""
    with _attempts_lock:
        turn, waiting = _attempts.get(handle, (threading.Lock(), 0))
        _attempts[handle] = (turn, waiting + 1)
    try:
        if not turn.acquire(timeout=WAIT_S):
            raise TooManySignIns(retry_after_ms=WAIT_S * 1000)
        try:
            yield
        finally:
            turn.release()
    finally:
        with _attempts_lock:
            turn, waiting = _attempts.pop(handle)
            if waiting > 1:
                _attempts[handle] = (turn, waiting - 1)
