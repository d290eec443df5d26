"""Try, from inside, what a cage must refuse. Each attempt is harmless where it succeeds.

An attempt raises OSError where it is refused. Only an error that a layer gives counts as a refusal: "no such file" or
"nobody listens" mean that the attempt got through.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from inference.cage import kernel
from inference.engine import LayerCheck

_DENIED = frozenset({errno.EPERM, errno.EACCES})
# What a network without interfaces answers.
_UNREACHABLE = frozenset({errno.ENETUNREACH})
# Anybody's loopback, port "discard": where there is a network, the answer is at once.
_NEIGHBOUR = ("127.0.0.1", 9)
_SIGKILL, _PR_SET_PDEATHSIG = 9, 1
_PTRACE_PEEKDATA = 2
_KEYCTL_GET_KEYRING_ID, _KEY_SPEC_USER_KEYRING = 0, -4


@dataclass(frozen=True, slots=True)
class Target:
    """Say what is attempted on: the portal's process, and the model's file."""

    portal: int
    model_path: str

    @property
    def folder(self) -> str:
        """Return the model's folder."""
        return str(Path(self.model_path).parent)

    @property
    def data_folder(self) -> str:
        """Return the folder above it, where the portal keeps everything else."""
        return str(Path(self.folder).parent)


def _tcp(_target: Target) -> None:
    with socket.socket() as client:
        client.settimeout(0.2)
        client.connect(_NEIGHBOUR)


def _udp(_target: Target) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"", _NEIGHBOUR)


def _unix(_target: Target) -> None:
    socket.socket(socket.AF_UNIX).close()


def _dns(_target: Target) -> None:
    """Look up the one name that every machine knows. As bytes: a text would make Python load a module."""
    socket.getaddrinfo(b"localhost", None)


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags | os.O_CLOEXEC))


def _file(_target: Target) -> None:
    _open("/etc/passwd", os.O_RDONLY)


def _folder(target: Target) -> None:
    _open(target.folder, os.O_RDONLY | os.O_DIRECTORY)


def _data(target: Target) -> None:
    _open(target.data_folder, os.O_RDONLY | os.O_DIRECTORY)


def _overwrite(target: Target) -> None:
    """Open for writing, without touching a byte."""
    _open(target.model_path, os.O_WRONLY)


def _exec(_target: Target) -> None:
    """Run this interpreter with arguments at an address that does not exist: where it is allowed, that is the fault."""
    try:
        kernel.call("execve", os.path.realpath(sys.executable).encode(), 1, None)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


def _fork(_target: Target) -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _ptrace(target: Target) -> None:
    """Read a word as a debugger that never attached: where it is allowed, "no such process" is the fault."""
    try:
        kernel.call("ptrace", _PTRACE_PEEKDATA, target.portal, 0, bytes(8))
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


def _memory(target: Target) -> None:
    """Read nothing from the portal's memory."""
    kernel.call("process_vm_readv", target.portal, None, 0, None, 0, 0)


def _signal(target: Target) -> None:
    """Send the signal that does nothing."""
    os.kill(target.portal, 0)


def _namespace(_target: Target) -> None:
    """Leave no namespace."""
    kernel.call("unshare", 0)


def _code(_target: Target) -> None:
    mmap.mmap(
        -1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    ).close()


def _outlive(_target: Target) -> None:
    """Choose anew, and the same, how to die."""
    kernel.prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def _keyring(_target: Target) -> None:
    kernel.call("keyctl", _KEYCTL_GET_KEYRING_ID, _KEY_SPEC_USER_KEYRING, 0)


def _io_uring(_target: Target) -> None:
    """Ask for a ring without room: where it is allowed, that is the fault."""
    try:
        kernel.call("io_uring_setup", 0, ctypes.create_string_buffer(120))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


_RUN: Mapping[str, Callable[[Target], None]] = {
    "tcp": _tcp,
    "udp": _udp,
    "unix": _unix,
    "dns": _dns,
    "file": _file,
    "folder": _folder,
    "data": _data,
    "overwrite": _overwrite,
    "exec": _exec,
    "fork": _fork,
    "ptrace": _ptrace,
    "memory": _memory,
    "signal": _signal,
    "namespace": _namespace,
    "code": _code,
    "outlive": _outlive,
    "keyring": _keyring,
    "io_uring": _io_uring,
}
ALL = tuple(_RUN)


def attempt(layer: str, keys: Iterable[str], target: Target) -> list[LayerCheck]:
    """Make attempts, and return a row for each: it holds where it was refused."""
    return [_attempt(layer, key, target) for key in keys]


def _attempt(layer: str, key: str, target: Target) -> LayerCheck:
    refusals = _DENIED | _UNREACHABLE if key in {"tcp", "udp"} else _DENIED
    try:
        _RUN[key](target)
    except socket.gaierror:
        return LayerCheck(layer, key, holds=True, detail="no answer")
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        return LayerCheck(layer, key, holds=error.errno in refusals, detail=name)
    return LayerCheck(layer, key, holds=False, detail="succeeded")
