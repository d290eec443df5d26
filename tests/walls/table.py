"""Read the table of who may reach what, and walk the addresses that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from tests.walls.things import THINGS, Reach

TABLE = Path(__file__).with_name("who_may.txt")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
FRAME, COMMAND = "FRAME", "COMMAND"

# Everybody whom the table speaks of, and the words for several of them. `owner` and `member` belong to the same
# organisation; whoever is `outside_…` belongs to another one; operators belong to none.
HERE = ("owner", "colleague", "admin", "officer", "auditor", "operator")
OUTSIDE = ("outside_member", "outside_admin", "outside_officer", "outside_auditor")
PEOPLE = ("anonymous", *HERE, *OUTSIDE)
WORDS = {
    "nobody": (),
    "shell": (),
    "anonymous": ("anonymous",),
    "signed-in": (*HERE, *OUTSIDE),
    "anybody": PEOPLE,
    "owner": ("owner",),
    "member": ("owner", "colleague", "outside_member"),
    "admin": ("admin", "outside_admin"),
    "officer": ("officer", "outside_officer"),
    "auditor": ("auditor", "outside_auditor"),
    "operator": ("operator",),
    "staff": tuple(
        name for name in (*HERE, *OUTSIDE) if name not in ("owner", "colleague", "outside_member")
    ),
}
_THING = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Row:
    """One line: what each person gets. Whoever is not named is sent to sign in, or gets the page for missing things.

    A frame has its fields for a path, and a command its words; `words` say who is named in the line.
    """

    name: str
    method: str
    path: str
    allowed: dict[str, int]
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}" if self.method in METHODS else f"{self.name} {self.path}"

    @property
    def things(self) -> list[str]:
        """Return the things that the address names."""
        return _THING.findall(self.path)

    @property
    def statuses(self) -> dict[str, int]:
        """Return the status for each of PEOPLE."""
        return {name: self.allowed.get(name, self._refusal(name)) for name in PEOPLE}

    def _refusal(self, name: str) -> int:
        """Return what somebody who is not named gets: at a socket the codes that it is closed with, too."""
        if self.method == FRAME:
            return 404 if name in WORDS["member"] else 4401 if name == "anonymous" else 4403
        return 404 if name != "anonymous" else 1 if self.method == COMMAND else 302

    @property
    def is_public(self) -> bool:
        """Return whether people get there without signing in."""
        return "anonymous" in self.allowed


def read_table() -> list[Row]:
    """Return the lines. Raises ValueError for one that is not as test_matrix says."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [_read(line) for line in lines if line.strip() and not line.startswith("#")]


def _read(line: str) -> Row:
    name, method, path, *words = line.split()
    if (
        method not in (*METHODS, FRAME, COMMAND)
        or not words
        or not set(_THING.findall(path)) <= THINGS.keys()
    ):
        raise ValueError(f"not a line of the table: {line}")
    allowed: dict[str, int] = {}
    for word, equals, status in (word.partition("=") for word in words):
        allowed |= dict.fromkeys(WORDS[word], int(status) if equals else 0)
    return Row(name, method, path, _within_reach(path, allowed), tuple(words))


def _within_reach(path: str, allowed: dict[str, int]) -> dict[str, int]:
    """Leave out whoever is outside where the address names something that one organisation alone has."""
    if all(THINGS[name].reach is not Reach.ORGANISATION for name in _THING.findall(path)):
        return allowed
    return {name: status for name, status in allowed.items() if name not in OUTSIDE}


_LINES = read_table()
ROWS = [row for row in _LINES if row.method in METHODS]
FRAMES = [row for row in _LINES if row.method == FRAME]
COMMANDS = [row for row in _LINES if row.method == COMMAND]


@dataclass(frozen=True)
class Address:
    """One address of the portal, as the URLconf has it; `parts` are its converters by name."""

    name: str
    route: str
    parts: dict[str, Any]


def every_address() -> Iterator[Address]:
    """Yield every address that the resolver knows. Fails for one without a name: no line could stand for it."""
    yield from _walk(get_resolver().url_patterns, Address("", "/", {}))


def _walk(patterns: list[URLPattern | URLResolver], above: Address) -> Iterator[Address]:
    for each in patterns:
        route, parts = above.route + str(each.pattern), above.parts | dict(each.pattern.converters)
        if isinstance(each, URLResolver):
            name = f"{above.name}{each.namespace}:" if each.namespace else above.name
            yield from _walk(each.url_patterns, Address(name, route, parts))
        else:
            assert each.name, f"{route} has no name, so no line of the table can stand for it"
            yield Address(f"{above.name}{each.name}", route, parts)
