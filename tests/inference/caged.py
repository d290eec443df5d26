"""Be a process in a cage with some layers left out, and print what gets through: `-m tests.inference.caged JSON`.

The attempts are written anew, with the standard library as anybody would, so that they prove something about those
that the worker makes itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from inference import confinement
from inference.cage import landlock, rights, seccomp
from inference.cage.cage import Cage
from inference.engine import WorkerSpec

PTRACE_ATTACH, PTRACE_DETACH = 16, 17


def leave_out(layers: list[str]) -> None:
    nothing: Any = lambda *_: ""  # noqa: E731 - stands in for functions of several shapes
    if "seccomp" in layers:
        seccomp.install = nothing
    if "landlock" in layers:
        landlock.restrict = nothing
    if "namespaces" in layers:
        rights.leave_user_namespace = rights.leave_network = nothing
    if "capabilities" in layers:
        rights.drop_capabilities = nothing


def _udp(order: dict[str, Any]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"out", ("127.0.0.1", order["udp"]))


def _pipe(order: dict[str, Any]) -> None:
    """Speak into the portal's own pipe by its name in /proc."""
    with open(f"/proc/{order['portal']}/fd/1", "wb"):  # noqa: PTH123
        pass


def _attach(order: dict[str, Any]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, order["portal"], None, None):
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(order["portal"], 0)
    libc.ptrace(PTRACE_DETACH, order["portal"], None, None)


def _fork(_order: dict[str, Any]) -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _thread(_order: dict[str, Any]) -> None:
    done = threading.Event()
    threading.Thread(target=done.set).start()
    assert done.wait(5)


ATTEMPTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "tcp": lambda order: socket.socket().connect(("127.0.0.1", order["tcp"])),
    "udp": _udp,
    "unix": lambda order: socket.socket(socket.AF_UNIX).connect(order["unix"]),
    "dns": lambda _: socket.getaddrinfo(b"localhost", None),
    "read": lambda _: os.open("/etc/passwd", os.O_RDONLY),
    "list": lambda order: os.scandir(order["data"]),
    "create": lambda order: os.open(f"{order['data']}/left", os.O_CREAT | os.O_WRONLY),
    "portal_pipe": _pipe,
    "exec": lambda _: subprocess.run(["/bin/true"], check=True),
    "fork": _fork,
    "attach": _attach,
    "signal": lambda order: os.kill(order["portal"], 0),
    "thread": _thread,
}


def main() -> None:
    order = json.loads(sys.argv[1])
    leave_out(order["without"])
    spec = WorkerSpec("scripted", order["model"], 512, 1, 0, 0, 0.0)
    confinement.limit_memory(1 << 30)
    built = Cage()
    built.separate()
    built.enter(spec)
    os.close(os.open(order["model"], os.O_RDONLY))
    built.lock()
    through = []
    for name, act in ATTEMPTS.items():
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            act(order)
            through.append(name)
    failed = sorted({f"{check.layer}/{check.attempt}" for check in built.checks if not check.holds})
    os.write(1, json.dumps({"through": through, "failed": failed}).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
