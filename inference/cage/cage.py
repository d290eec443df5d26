"""Put up the cage around a worker, layer by layer, and report what holds."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

from inference.cage import landlock, rights, seccomp
from inference.cage.attempts import ALL, Target, attempt
from inference.cage.kernel import machine
from inference.cage.landlock import Grant
from inference.cage.names import IN_FORCE, breaches
from inference.cage.syscalls import Rules, while_loading, while_serving
from inference.engine import LayerCheck, LoadError, WorkerSpec

# Stands in for a model where there is none: a file that is never granted.
_OWN_FILE = str(Path(__file__).resolve())


class CageIncomplete(LoadError):
    """Say that a strict worker lacks a layer. `checks` is everything that was found out."""

    def __init__(self, checks: tuple[LayerCheck, ...]) -> None:
        super().__init__("cage_incomplete")
        self.checks = checks


class Cage:
    """Confine this process in three steps, each for good: `separate`, `enter`, `lock`, in this order.

    A layer that the kernel does not give is noted and the next one put up all the same; `require` is what refuses.
    """

    def __init__(self) -> None:
        self._checks: list[LayerCheck] = []
        self._target = Target(os.getppid(), _OWN_FILE)

    @property
    def checks(self) -> tuple[LayerCheck, ...]:
        """Return what was found out so far."""
        return tuple(self._checks)

    def separate(self) -> None:
        """Leave the machine's users and network. Before the first thread, so before any library is loaded."""
        both = self._put_up("user_namespace", rights.leave_user_namespace)
        self._put_up("network_namespace", str if both else rights.leave_network)
        self._checks += attempt("network_namespace", ("tcp", "udp"), self._target)
        self._put_up("no_new_privileges", rights.forbid_new_privileges)
        self._put_up("no_capabilities", rights.drop_capabilities)

    def enter(self, spec: WorkerSpec) -> None:
        """Leave only the model's file to open, and only the calls that loading takes. Before threads, after imports."""
        self._target = Target(os.getppid(), spec.model_path or _OWN_FILE)
        grants = [Grant(spec.model_path, landlock.READ_FILE)] if spec.model_path else []
        if spec.scratch_path:
            grants.append(Grant(spec.scratch_path, landlock.MAKE_SOCK | landlock.REMOVE_FILE))
        self._put_up("landlock", lambda: _restrict_files(grants))
        self._checks += attempt("landlock", ("file", "folder", "data", "overwrite", "exec"), self._target)
        self._put_up("seccomp", lambda: _filter_calls(while_loading(os.getpid())))

    def lock(self) -> None:
        """Keep only what an engine needs that has its model, for all threads; then try everything."""
        self._put_up("no_core_dumps", rights.forbid_dumps)
        self._put_up("memory_limit", _find_memory_limit)
        self._put_up("seccomp", lambda: _filter_calls(while_serving(os.getpid())))
        self._checks += attempt("seccomp", ALL, self._target)

    def require(self) -> None:
        """Raise CageIncomplete unless all that was put up and tried so far holds."""
        if not all(check.holds for check in self._checks):
            raise CageIncomplete(self.checks)

    def require_all(self) -> None:
        """Raise CageIncomplete unless every layer is there and everything that was tried was refused."""
        if breaches(self._checks):
            raise CageIncomplete(self.checks)

    def _put_up(self, layer: str, act: Callable[[], str]) -> bool:
        """Put up a layer; note how that went, in place of what was noted of it before."""
        try:
            row = LayerCheck(layer, IN_FORCE, holds=True, detail=act())
        except OSError as error:
            detail = os.strerror(error.errno) if error.errno else str(error)
            row = LayerCheck(layer, IN_FORCE, holds=False, detail=detail)
        self._checks = [check for check in self._checks if (check.layer, check.attempt) != (layer, IN_FORCE)]
        self._checks.append(row)
        return row.holds


def _restrict_files(grants: list[Grant]) -> str:
    """Raise OSError where a thread runs that the rules would not bind."""
    if (threads := rights.count_threads()) > 1:
        raise OSError(f"{threads} threads ran before it")
    return f"version {landlock.restrict(grants)}"


def _filter_calls(rules: Rules) -> str:
    seccomp.install(seccomp.assemble(rules, machine=machine()))
    return f"{len(rules)} calls allowed"


def _find_memory_limit() -> str:
    """Return the limit that the engine has set. Raise OSError where it has not."""
    limit, _hard = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        raise OSError("not set")
    return f"{limit >> 20} MiB"
