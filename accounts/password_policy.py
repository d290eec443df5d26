"""Refuse passwords that are easily found: too short, common, one's own name, or known from a breach.

Composition rules ("a digit, a sign") are left out on purpose: NIST SP 800-63B 3.1.1.2 advises against them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from accounts.models import User
from accounts.rules import rules_for

logger = logging.getLogger("portal.accounts")

# What the sign-in form takes; more would only cost the hash more.
LONGEST = 256
FEWEST_CHARACTERS = 5
SHORTEST_WORD = 3
_SHA1_HEX = 40


class LengthBounds:
    """Ask for the length that installation or organisation want, and for no more than the sign-in form takes."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError for a password too short, too long, or of very few different characters."""
        shortest = shortest_for(user)
        if len(password) < shortest:
            raise ValidationError(
                gettext("The password needs at least %(count)d characters.") % {"count": shortest},
                code="password_too_short",
            )
        if len(password) > LONGEST:
            raise ValidationError(
                gettext("The password may have %(count)d characters at most.") % {"count": LONGEST},
                code="password_too_long",
            )
        if len(set(password.casefold())) < FEWEST_CHARACTERS:
            raise ValidationError(
                gettext("The password repeats the same few characters."), code="password_too_plain"
            )


class UnlikePerson:
    """Refuse a password that owes its length to the names of the person or the organisation."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError where too little is left once those names are taken out."""
        rest = password.casefold()
        for word in sorted(_names_of(user), key=len, reverse=True):
            rest = rest.replace(word, "")
        if rest != password.casefold() and len(rest) < shortest_for(user) - 2:
            raise ValidationError(
                gettext("The password is too much like your name or your organisation's."),
                code="password_too_similar",
            )


class NotBreached:
    """Refuse passwords in a list of breached ones that lies on this machine; nothing is ever asked outside.

    The list is the file that PORTAL_BREACHED_PASSWORDS names: lines of upper-case SHA-1 digests in hexadecimal, in
    order, each with anything after a colon: the form in which Have I Been Pwned gives its list away.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError for a password in the list, and for every one while the list cannot be read."""
        path = settings.PORTAL.breached_passwords
        if path is None:
            return
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            found = is_listed(path, digest)
        except OSError as error:
            logger.error("the list of breached passwords cannot be read: %s", error.strerror)
            raise ValidationError(
                gettext("Passwords cannot be checked at this moment; tell your IT desk."),
                code="password_unchecked",
            ) from error
        if found:
            raise ValidationError(
                gettext("This password is known from a breach elsewhere."), code="password_breached"
            )


def shortest_for(user: User | None) -> int:
    """Return how long the person's password must be; without one, what holds for everybody."""
    length: int = settings.PORTAL.password_length
    return rules_for(user).password_length if user is not None else length


def is_listed(path: Path, digest: str) -> bool:
    """Return whether a sorted list holds the digest, by halving: about 30 reads in a list of 40 GB."""
    wanted = digest.encode()
    with path.open("rb") as lines:
        low, high = 0, os.fstat(lines.fileno()).st_size
        while low < high:
            middle = (low + high) // 2
            if _digest_after(lines, middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return _digest_after(lines, low) == wanted


def _digest_after(lines: BinaryIO, at: int) -> bytes:
    """Return the digest of the first line that begins at or after a place; past the last one, one above all."""
    lines.seek(max(0, at - 1))
    if at:
        lines.readline()
    return lines.readline()[:_SHA1_HEX].upper() or b"~"


def _names_of(user: User | None) -> set[str]:
    if user is None:
        return set()
    house = [user.tenant.code, user.tenant.name] if user.tenant else []
    words = (word for text in (user.login_name, user.display_name, *house) for word in _words(text))
    return {word for word in words if len(word) >= SHORTEST_WORD}


def _words(text: str) -> list[str]:
    whole = text.casefold()
    return [whole, *re.split(r"[\W_]+", whole)]
