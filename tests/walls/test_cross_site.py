"""What another site's page can make a browser send does nothing: every form, and the socket."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import websockets

from chat import routing
from tests.qwenportal.support import browser
from tests.walls.house import House
from tests.walls.stage import FORM, FORMS, Stage
from tests.walls.table import ROWS, Row

# Posted by an identity provider's server, which has no page of ours; each proves itself otherwise (accounts.sso).
WITHOUT_TOKEN = {"sso_callback", "sso_logout"}
POSTS = [row for row in ROWS if row.method == "POST"]
FOREIGN = (
    "https://evil.example", "null", "http://evil.testserver", "http://testserver.evil.example", "http://testserver:81",
    "https://testserver",
)  # fmt: skip


def test_every_form_of_another_site_is_refused(stage: Stage) -> None:
    """Without its token, with another one, and with the right one from another origin."""
    wrong = []
    for row in (row for row in POSTS if row.name not in WITHOUT_TOKEN):
        for who in list(row.allowed)[:1]:  # the anonymous, where they may
            sender = Sender(stage, who)
            tried = {"no token": sender.post(row), "another's token": sender.post(row, token="x" * 64)}
            tried |= {origin: sender.post(row, token=sender.token, origin=origin) for origin in FOREIGN}
            wrong += [
                f"{row} by {who} with {how}: {status}" for how, status in tried.items() if status != 403
            ]
    assert not wrong, "\n".join(wrong)


def test_a_form_of_ones_own_is_taken(stage: Stage) -> None:
    """So that the test above refuses for the reason that it says."""
    sender = Sender(stage, "owner")
    row = next(row for row in POSTS if row.name == "chat:rename")
    assert sender.post(row, token=sender.token, origin="http://testserver") == 302


class Sender:
    """A browser whose forms are looked at."""

    def __init__(self, stage: Stage, who: str) -> None:
        self._stage = stage
        self._browser = browser(stage.people[who], enforce_csrf_checks=True)
        self._browser.get("/consent/declined/")
        self._browser.get("/accounts/login/")
        self.token = (
            self._browser.cookies["portal_csrf"].value if "portal_csrf" in self._browser.cookies else ""
        )
        if not self.token:
            self._browser.cookies["portal_csrf"] = self.token = "t" * 32

    def post(self, row: Row, *, token: str = "", origin: str = "") -> int:
        """Send the form of a line and return the status."""
        form = FORM | FORMS.get(row.name, {}) | ({"csrfmiddlewaretoken": token} if token else {})
        headers: dict[str, Any] = {"Origin": origin} if origin else {}
        return int(
            self._browser.post(row.path.format(**self._stage.things), form, headers=headers).status_code
        )


def origins(house: House) -> dict[str, str]:
    host = f"127.0.0.1:{house.portal.port}"
    return {
        "another site": "https://evil.example",
        "null": "null",
        "a sub-domain": f"http://evil.{host}",
        "a longer name": f"http://{host}.evil.example",
        "another port": "http://127.0.0.1:1",
        "no port": "http://127.0.0.1",
        "a user part": f"http://{host}@evil.example",
        "a file": "file://",
        "an extension": "chrome-extension://abcdefghijklmnop",
        "no scheme": host,
        "two": f"http://{host}, https://evil.example",
        "a broken one": "http://[",
    }


async def test_a_socket_of_another_sites_page_is_refused(house: House) -> None:
    taken = [how for how, origin in origins(house).items() if await opens(house, Origin=origin)]
    assert taken == []
    assert await opens(house, Origin=house.portal.url)
    assert await opens(house)  # a program, which has no page; it needs the cookie all the same


async def test_a_host_name_that_matches_a_foreign_origin_does_not_help(house: House) -> None:
    assert not await opens(house, Origin="https://evil.example", Host="evil.example")
    assert not await opens(
        house,
        Origin="https://evil.example",
        **{"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
    )


async def opens(house: House, **headers: str) -> bool:
    try:
        async with house.socket("owner", **headers) as socket:
            await socket.ready()
    except websockets.InvalidStatus:
        return False
    return True


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("https://portal.example", True),
        ("http://portal.example", False),
        ("https://portal.example:8443", False),
        ("https://www.portal.example", False),
        ("HTTPS://portal.example", False),
    ],
)
def test_in_production_the_origins_of_the_settings_count_and_nothing_else(
    origin: str, is_own: bool, settings: Any
) -> None:
    """A page that somebody on the way puts in the place of the plain address has the same host name."""
    settings.PORTAL = dataclasses.replace(
        settings.PORTAL, mode="production", origins=("https://portal.example",)
    )
    settings.ALLOWED_HOSTS = ["portal.example"]
    host = origin.lower().partition("//")[2]
    assert routing.is_own_origin(origin, host=host) == is_own
