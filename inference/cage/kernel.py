"""Call the kernel where Python has no function for it. Every failure is an OSError with its errno."""

from __future__ import annotations

import ctypes
import os

from inference.cage.syscalls import NUMBERS

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
# Columns of `syscalls.NUMBERS`.
_MACHINES = {"x86_64": 0, "aarch64": 1}

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None


def machine() -> str:
    """Return the processor's name as the kernel gives it."""
    return os.uname().machine


def number_of(name: str, *, machine: str) -> int | None:
    """Return a system call's number, None where that machine has no such call. Raise OSError for a strange machine."""
    if machine not in _MACHINES:
        raise OSError(f"no table of system calls for {machine}")
    return NUMBERS[name][_MACHINES[machine]]


def call(name: str, *arguments: Argument) -> int:
    """Make a system call. Integers go as they are, bytes as their address."""
    number = number_of(name, machine=machine())
    if number is None:
        raise OSError(f"this machine has no {name}")
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    ctypes.set_errno(0)
    return _checked(int(_libc.syscall(ctypes.c_long(number), *words)), name)


def prctl(option: int, first: int = 0) -> int:
    """Set or ask one of the process's own properties."""
    return _checked(int(_libc.prctl(option, first, 0, 0, 0)), "prctl")


def _checked(result: int, name: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result
