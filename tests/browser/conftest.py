"""Start Chromium once, and the portals that it visits.

All of it ends with this package: Playwright's loop may not be there when another test starts its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState, expect, sync_playwright

from tests.browser.person import Person
from tests.browser.watch import Watch
from tests.client import Client
from tests.portal import PortalProcess

CHROMIUM = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CHROMIUM += ["--disable-component-update", "--disable-sync"]

Visit = Callable[..., Person]
Enter = Callable[..., Person]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """A portal with the scripted engine, 20 ms a word, where one person may do much at once."""
    process = PortalProcess(
        tmp_path_factory.mktemp("lively") / "data",
        PORTAL_ENGINE="scripted",
        PORTAL_SCRIPTED_MS="20",
        PORTAL_RUNNING_PER_PERSON="16",
        PORTAL_LOGIN_ATTEMPTS="3",
    )
    yield process.start()
    process.stop()


@pytest.fixture(scope="package")
def real(tmp_path_factory: pytest.TempPathFactory, starter_model: Path) -> Iterator[PortalProcess]:
    """A portal with the starter model, short answers, and two messages a minute."""
    process = PortalProcess(
        tmp_path_factory.mktemp("real") / "data",
        PORTAL_MODEL=str(starter_model),
        PORTAL_MAX_NEW_TOKENS="48",
        PORTAL_RATE_PER_MINUTE="2",
    )
    yield process.start()
    process.stop()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Return what opens a fresh browser at a portal; afterwards none of them may have complained."""
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def opened(
        portal: PortalProcess, *, state: StorageState | None = None, locale: str = "en-US", width: int = 1440
    ) -> Person:
        context = chromium.new_context(
            storage_state=state,
            locale=locale,
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
        )
        contexts.append(context)
        watches.append(Watch(context, portal.url))
        return Person(context.new_page(), portal.url)

    yield opened
    for context in contexts:
        context.close()
    assert [complaint for watch in watches for complaint in watch.complaints] == []


@pytest.fixture(scope="package")
def sessions() -> dict[tuple[str, str], StorageState]:
    """Who has signed in where already."""
    return {}


@pytest.fixture
def enter(visit: Visit, sessions: dict[tuple[str, str], StorageState]) -> Enter:
    """Return what opens a browser in which this person is signed in; each signs in once for the package."""

    def entered(portal: PortalProcess, login: str = "member", *, width: int = 1440) -> Person:
        state = sessions.get((portal.url, login))
        if state is not None:
            return visit(portal, state=state, width=width)
        person = visit(portal, width=width)
        person.sign_in(login, organisation="" if login == "operator" else "demo")
        expect(person.page).not_to_have_url(f"{portal.url}/accounts/login/")
        if login == "member":
            person.agree()
        sessions[portal.url, login] = person.page.context.storage_state()
        return person

    return entered


@pytest.fixture
def undecided(lively: PortalProcess) -> Iterator[PortalProcess]:
    """The lively portal, whose member has taken consent back; afterwards the member has agreed again."""
    member = Client(lively.url).sign_in("member")
    member.post("/consent/withdraw/", form_on="/privacy/")
    yield lively
    again = Client(lively.url).sign_in("member")
    if "/consent/" in again.get("/").url:
        again.agree()
