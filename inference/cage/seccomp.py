"""Translate rules into a program for the kernel's seccomp filter, and put it in force for every thread.

The program is classic BPF: small enough to write without a library, so that no installation lacks this layer for want
of one. Sources: linux/seccomp.h, linux/filter.h, linux/audit.h.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from inference.cage import kernel
from inference.cage.syscalls import Only, Rules

_LOAD, _JUMP_EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
# Offsets in struct seccomp_data, of the words' low halves: both machines are little-endian.
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SET_MODE_FILTER = 1
_FLAG_TSYNC = 1
# Since Linux 5.16 the default; before, a filter switched off speculation, which costs an engine its speed.
_FLAG_SPEC_ALLOW = 4

Instruction = tuple[int, int, int, int]
_REFUSE: Instruction = (_RETURN, 0, 0, _ERRNO | errno.EPERM)


def assemble(rules: Rules, *, machine: str) -> bytes:
    """Return the filter's program: what no rule allows fails with EPERM, another machine's calls end the process.

    clone3 fails with ENOSYS, as its flags cannot be seen: the C library then makes its threads with clone.
    """
    program: list[Instruction] = [
        (_LOAD, 0, 0, _MACHINE),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for name, only in rules.items():
        program += _when(name, _allow(only), machine=machine)
    program += _when("clone3", [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)], machine=machine)
    program.append(_REFUSE)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def deny(name: str, error: int, *, machine: str) -> bytes:
    """Return a program that lets everything through but one call, as a container runtime may have it."""
    program: list[Instruction] = [(_LOAD, 0, 0, _NUMBER)]
    program += _when(name, [(_RETURN, 0, 0, _ERRNO | error)], machine=machine)
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def install(program: bytes) -> None:
    """Put the filter in force for all threads, for ever. Raise OSError where the kernel does not."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    if kernel.call("seccomp", _SET_MODE_FILTER, _FLAG_TSYNC | _FLAG_SPEC_ALLOW, head):
        raise OSError(errno.ESRCH, "a thread has a filter of its own")


def _when(name: str, block: list[Instruction], *, machine: str) -> list[Instruction]:
    """Return the block, reached only by that call. Nothing where the machine has no such call."""
    number = kernel.number_of(name, machine=machine)
    return [] if number is None else [(_JUMP_EQUAL, 0, len(block), number), *block]


def _allow(only: Only | None) -> list[Instruction]:
    if only is None:
        return [(_RETURN, 0, 0, _ALLOW)]
    block: list[Instruction] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * only.argument), (_AND, 0, 0, only.mask)]
    for value in only.values:
        block += [(_JUMP_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*block, _REFUSE]
