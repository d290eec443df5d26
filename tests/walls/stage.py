"""Ask at every address as everybody, and take back what it did."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import transaction
from django.test import Client

from tests.qwenportal.support import browser
from tests.walls.people import People
from tests.walls.table import PEOPLE, Row
from tests.walls.things import missing_things

# What stands in every form; a field that a form does not know is nothing to it. FORMS adds to it, by address.
FORM = {
    "decision": "agree",
    "stage": "input",
    "title": "Renamed",
    "confirm": "delete",
    "language": "en",
    "reason": "It is so.",
}
FORMS: dict[str, dict[str, str]] = {"console:user_role": {"role": "auditor"}}


@dataclass
class Stage:
    """Two organisations with their people, and one of each thing in the first."""

    people: People
    things: dict[str, str]
    missing: dict[str, str] = field(default_factory=missing_things)

    @cached_property
    def browsers(self) -> dict[str, Client]:
        """Return everybody's browser."""
        return {name: browser(self.people[name]) for name in PEOPLE}

    def ask(self, row: Row, name: str, *, method: str = "", missing: bool = False, **values: str) -> Any:
        """Return the answer that a person gets; `missing` asks for things that nobody has."""
        path = row.path.format(**(self.missing if missing else self.things) | values)
        return self.send(name, method or row.method, path, FORM | FORMS.get(row.name, {}))

    def send(self, name: str, method: str, path: str, form: dict[str, str]) -> Any:
        """Send one request, and undo whatever it did."""
        client = self.browsers[name]
        session = dict(client.cookies)
        with transaction.atomic():
            response = getattr(client, method.lower())(path, form if method in ("GET", "POST") else None)
            transaction.set_rollback(True)
        client.cookies.clear()
        client.cookies.update(session)
        return response


def shown(response: Any, *, without: str = "") -> str:
    """Return a page without what differs from one request to the next, and without an id that was asked for."""
    text = response.text.replace(without, "") if without else response.text
    without_token = re.sub(r'(name="csrfmiddlewaretoken" value=")[^"]*', r"\1", text)
    return re.sub(r"[0-9a-f]{12}|\d\d:\d\d(:\d\d)?", "", without_token)
