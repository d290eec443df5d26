"""Try a directory step by step, so that whoever sets it up sees which one fails.

What is tried is what is stored, and the person's password is never asked for. Whether a port is closed, filtered or
silent reads the same, so that this is no way to look around in a network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import ldap

from accounts.directory.failures import DirectoryUnavailable
from accounts.directory.people import ReaderOnly
from accounts.directory.servers import ReaderRefused, fault_of
from accounts.directory.settings import DirectorySettings
from accounts.directory.targets import addresses_of
from accounts.directory.wire import NoLine, NoTls, Wire

StepName = Literal["resolve", "connect", "tls", "bind", "search", "groups"]
State = Literal["ok", "failed", "skipped"]
STEPS: tuple[StepName, ...] = ("resolve", "connect", "tls", "bind", "search", "groups")


@dataclass(frozen=True, slots=True)
class Step:
    """How one step went. `detail` is a fault's name, or what was found; `took_ms` in milliseconds."""

    name: StepName
    state: State
    detail: str = ""
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class ServerTrial:
    """The steps with one server, and the groups of the person who was looked for, if one was."""

    server: str
    steps: tuple[Step, ...]
    groups: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Return whether no step failed."""
        return all(step.state != "failed" for step in self.steps)


def try_server(
    settings: DirectorySettings, *, server: str, reader_password: str, name: str, until: float
) -> ServerTrial:
    """Take the steps with one server until one fails."""
    trial = _Trial(settings, server, reader_password=reader_password, name=name, until=until)
    try:
        return trial.run()
    finally:
        trial.close()


class _Trial:
    def __init__(
        self, settings: DirectorySettings, server: str, *, reader_password: str, name: str, until: float
    ) -> None:
        self._settings, self._server, self._until, self._name = settings, server, until, name
        self._reader_password = reader_password
        self._person: ReaderOnly | None = None
        self._groups: tuple[str, ...] = ()

    def run(self) -> ServerTrial:
        acts: dict[StepName, Callable[[], str | None]] = {
            "resolve": self._resolve,
            "connect": self._connect,
            "tls": self._tls,
            "bind": self._bind,
            "search": self._search,
            "groups": self._look_at_groups,
        }
        steps: list[Step] = []
        for step in STEPS:
            if steps and steps[-1].state == "failed":
                break
            steps.append(self._take(step, acts[step]))
        left = [Step(name, "skipped") for name in STEPS[len(steps) :]]
        return ServerTrial(self._server, (*steps, *left), self._groups)

    def close(self) -> None:
        if self._person is not None:
            self._person.close()

    def _take(self, name: StepName, act: Callable[[], str | None]) -> Step:
        began = time.monotonic()
        try:
            found = act()
        except ReaderRefused:
            return self._failed(name, "reader_refused", began)
        except DirectoryUnavailable as unavailable:
            return self._failed(name, unavailable.fault, began)
        except (NoLine, NoTls, ldap.LDAPError) as error:
            return self._failed(name, fault_of(error), began)
        state: State = "skipped" if found is None else "ok"
        return Step(name, state, found or "", _since(began))

    def _failed(self, name: StepName, fault: str, began: float) -> Step:
        # The time would tell a closed port from a silent one.
        return Step(name, "failed", fault, 0 if name in ("resolve", "connect") else _since(began))

    def _resolve(self) -> str:
        parts = urlsplit(self._server)
        if not addresses_of(parts.hostname or "", parts.port or 389):
            raise NoLine
        return ""

    def _connect(self) -> str:
        Wire(self._server, self._settings, until=self._until, encrypted=False).close()
        return ""

    def _tls(self) -> str | None:
        if self._settings.security == "none":
            return None
        Wire(self._server, self._settings, until=self._until).close()
        return ""

    def _bind(self) -> str | None:
        if self._settings.bind == "direct" and not self._settings.bind_dn:
            return None
        self._person = ReaderOnly(
            self._settings,
            server=self._server,
            reader_password=self._reader_password,
            name=self._name,
            until=self._until,
        )
        self._person.sign_in()
        return ""

    def _search(self) -> str | None:
        if self._person is None:
            return None
        if not self._name:
            self._person.look_at(self._settings.user_base)
            return ""
        if not self._person.is_there():
            raise DirectoryUnavailable("nobody")
        return self._person.title()

    def _look_at_groups(self) -> str | None:
        if self._person is None or self._settings.groups == "none":
            return None
        if not self._name:
            self._person.look_at(self._settings.group_base)
            return ""
        self._groups = self._person.entry().groups
        return str(sum("=" in group for group in self._groups))


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
