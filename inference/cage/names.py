"""Name the layers of the cage and the attempts on it: the fixed lists that reports and pages speak of."""

from __future__ import annotations

from collections.abc import Iterable

from inference.engine import LayerCheck


def _(text: str) -> str:
    """Mark a text for translation at the edge."""
    return text


# The attempt of a row that says whether a layer is there at all.
IN_FORCE = "in_force"

LAYERS = {
    "user_namespace": _("user namespace"),
    "network_namespace": _("network namespace"),
    "no_new_privileges": _("no new privileges"),
    "no_capabilities": _("no capabilities"),
    "landlock": _("Landlock (files)"),
    "seccomp": _("seccomp (system calls)"),
    "memory_limit": _("memory limit"),
    "no_core_dumps": _("no core dumps"),
}

ATTEMPTS = {
    IN_FORCE: _("in force"),
    "tcp": _("open a TCP connection"),
    "udp": _("send a UDP packet"),
    "unix": _("open a UNIX socket"),
    "dns": _("look up a name"),
    "file": _("read a file of the system"),
    "folder": _("look into the model's folder"),
    "data": _("look into the data folder"),
    "overwrite": _("write to the model file"),
    "exec": _("run a program"),
    "fork": _("make another process"),
    "ptrace": _("attach to the portal as a debugger"),
    "memory": _("read the portal's memory"),
    "signal": _("send the portal a signal"),
    "namespace": _("make another namespace"),
    "code": _("make memory executable"),
    "outlive": _("outlive the portal"),
    "keyring": _("read the kernel's keyring"),
    "io_uring": _("reach the kernel past the filter (io_uring)"),
}


def breaches(checks: Iterable[LayerCheck]) -> tuple[LayerCheck, ...]:
    """Return what did not hold, and a row for every layer that nothing is said about."""
    known = tuple(checks)
    said = {check.layer for check in known if check.attempt == IN_FORCE}
    silent = tuple(LayerCheck(layer, IN_FORCE, holds=False) for layer in LAYERS if layer not in said)
    return tuple(check for check in known if not check.holds) + silent


def sum_up(checks: Iterable[LayerCheck]) -> tuple[int, int]:
    """Return how many attempts were refused, and how many were made."""
    made = [check.holds for check in checks if check.attempt != IN_FORCE]
    return sum(made), len(made)


def describe(checks: Iterable[LayerCheck]) -> str:
    """Return one English line that names each layer once, with what was tried and how it ended where that says more."""
    lines: dict[str, str] = {}
    for check in checks:
        what = "" if check.attempt == IN_FORCE else ATTEMPTS.get(check.attempt, check.attempt)
        more = ": ".join(filter(None, (what, check.detail)))
        lines.setdefault(check.layer, LAYERS.get(check.layer, check.layer) + (f" ({more})" if more else ""))
    return ", ".join(lines.values())
