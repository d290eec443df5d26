"""Make passwords that somebody else knows, and that therefore work for a while and open nothing but their change."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings

from accounts.models import User
from common import clock

# 31 characters that nobody mistakes for each other: 16 of them are 79 bits.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS, _GROUP_LENGTH = 4, 4


def temporary_password() -> str:
    """Return a random password that can be read out on the telephone: four groups of four, 79 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def password_from(digest: bytes) -> str:
    """Return the password of that form which these 32 bytes stand for."""
    number, letters = int.from_bytes(digest), []
    for _ in range(_GROUPS * _GROUP_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    text = "".join(letters)
    return "-".join(text[at : at + _GROUP_LENGTH] for at in range(0, len(text), _GROUP_LENGTH))


def make_temporary(account: User, password: str) -> None:
    """Set a password that must be changed before anything else, and in time; the caller saves the account."""
    account.set_password(password)
    account.must_change_password = True
    account.temporary_until = clock.now() + timedelta(hours=settings.PORTAL.temporary_password_hours)
    account.has_weak_password = False
