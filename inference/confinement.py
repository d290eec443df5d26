"""Take from a worker process what it does not need. Called in the child, before the model is touched.

This is the part that works on every Linux kernel and needs no rights.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def take_pipes() -> tuple[int, int]:
    """Move standard input and output to private descriptors and point 0, 1 and 2 at /dev/null.

    C libraries print what they like, perhaps parts of a prompt: it must neither break the wire nor reach a
    log.
    """
    inward, outward = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    return inward, outward


def bind_to_parent(parent: int) -> None:
    """Die with the portal, even when it is killed; leave at once if it is already gone.

    The kernel sends the signal when the thread that started this process ends: the portal starts it from
    its event loop's thread. Ctrl-C and a service manager's SIGTERM reach the whole process group, but it is
    the portal that decides when its worker leaves, by closing the pipe.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        os._exit(0)


def forbid_core_dumps() -> None:
    """Leave no core file behind, which would hold prompts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def spare_cores() -> int:
    """Return all but one of the processor cores that may be used, at least one.

    A core stays free for the web process: with every core busy, decoding slows down to a tenth.
    """
    return max(1, len(os.sched_getaffinity(0)) - 1)


def limit_memory(address_space: int) -> None:
    """Cap the address space at that many bytes. What goes beyond fails in this process alone."""
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
