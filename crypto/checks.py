"""Check the key file at start-up, as far as it exists: a missing one is reported by whoever needs it."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from crypto.errors import KeyUnavailable
from crypto.local_file import read_key_file
from crypto.providers import key_file


@register(Tags.security)
def check_key_file(**_: Any) -> list[CheckMessage]:
    """Return an error for a key file that others can read or that is damaged."""
    path = key_file()
    if not path.exists():
        return []
    try:
        read_key_file(path)
    except KeyUnavailable as error:
        return [Error(error.reason, id="crypto.E004")]
    return []
