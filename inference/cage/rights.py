"""Leave the machine's users and network behind, and every capability.

An unprivileged process may make a network namespace only within a user namespace of its own. There it holds every
capability until it gives them up, and its user keeps the files it had: no ids are mapped.
"""

from __future__ import annotations

import ctypes
import resource
import struct
from pathlib import Path

from inference.cage import kernel

_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = 3, 4, 38, 39
_PR_CAPBSET_DROP = 24
_CAPABILITY_VERSION_3 = 0x20080522
# Many times what an engine takes on a machine with many cores; a machine has some 30,000 for everything.
MAX_THREADS = 1024


def leave_user_namespace() -> str:
    """Enter a user namespace and, in one go, a network namespace. Only before the first thread. Raise OSError."""
    kernel.call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)
    _limit_threads()
    return ""


def _limit_threads() -> None:
    """Keep the worker from taking every thread of the machine, so that no other process could be made.

    Within the namespace only its own threads count (Linux 5.14; before, all of the user's). Root is not bound by it.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    most = MAX_THREADS if hard == resource.RLIM_INFINITY else min(hard, MAX_THREADS)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def leave_network() -> str:
    """Enter a network namespace alone, which takes rights. Raise OSError."""
    kernel.call("unshare", _CLONE_NEWNET | _CLONE_NEWIPC)
    return ""


def forbid_new_privileges() -> str:
    """Let no program that is run gain a right. Raise OSError."""
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if kernel.prctl(_PR_GET_NO_NEW_PRIVS) != 1:
        raise OSError("not set")
    return ""


def drop_capabilities() -> str:
    """Give up every capability for good. Raise OSError if one is left."""
    for capability in range(64):
        try:
            kernel.prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break  # The last one was before, or there was none to begin with.
    kernel.call("capset", _header(), bytes(24))
    if left := _capabilities():
        raise OSError(f"capabilities are left: {left:#x}")
    return ""


def forbid_dumps() -> str:
    """Let the kernel write no core file, not even through a pipe, which a limit of 0 bytes does not stop.

    It also keeps other processes of this user from attaching. Raise OSError.
    """
    kernel.prctl(_PR_SET_DUMPABLE, 0)
    if kernel.prctl(_PR_GET_DUMPABLE) != 0:
        raise OSError("not set")
    return ""


def count_threads() -> int:
    """Return how many threads this process has."""
    return sum(1 for _thread in Path("/proc/self/task").iterdir())


def _header() -> bytes:
    return struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)


def _capabilities() -> int:
    """Return the effective, permitted and inheritable ones, merged."""
    found = ctypes.create_string_buffer(24)
    kernel.call("capget", _header(), found)
    words: tuple[int, ...] = struct.unpack("=6I", found.raw)
    return words[0] | words[1] | words[2] | (words[3] | words[4] | words[5]) << 32
