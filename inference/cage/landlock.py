"""Let this process reach no file but the named ones. Source: linux/landlock.h; no library, as it is three calls.

A ruleset binds the calling thread and the threads and processes that it makes later.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from inference.cage import kernel

READ_FILE = 1 << 2
REMOVE_FILE = 1 << 5
MAKE_SOCK = 1 << 9
# Every right on files that a version of the interface knows: 1 has 13, 2 adds moving, 3 truncating, 5 device control.
_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
# From version 4 to bind and connect TCP; from 6 to reach abstract UNIX sockets and signal processes outside.
_TCP, _SCOPES = (4, 0b11), (6, 0b11)
_VERSION, _PATH_BENEATH = 1, 1


@dataclass(frozen=True, slots=True)
class Grant:
    """Allow these rights at a path and below it."""

    path: str
    rights: int


def version() -> int:
    """Return the version of the kernel's interface. Raise OSError where there is none or it is switched off."""
    return kernel.call("landlock_create_ruleset", None, 0, _VERSION)


def restrict(grants: Iterable[Grant]) -> int:
    """Refuse every file, TCP port and outside process from now on but what is granted; return the version.

    Raise OSError. A path that does not exist is passed over: whoever needs it will say so better.
    """
    known = version()
    ruleset = kernel.call("landlock_create_ruleset", *_refused(known), 0)
    try:
        for grant in grants:
            _add(ruleset, grant)
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return known


def _refused(known: int) -> tuple[bytes, int]:
    """Return the attributes of a ruleset that refuses all that this version can, and their size."""
    words = [max(rights for since, rights in _FILES.items() if since <= known)]
    words += [rights for since, rights in (_TCP, _SCOPES) if since <= known]
    return struct.pack(f"={len(words)}Q", *words), 8 * len(words)


def _add(ruleset: int, grant: Grant) -> None:
    try:
        place = os.open(grant.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        beneath = ctypes.create_string_buffer(struct.pack("=Qi", grant.rights, place))
        kernel.call("landlock_add_rule", ruleset, _PATH_BENEATH, beneath, 0)
    finally:
        os.close(place)
