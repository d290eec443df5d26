"""Second factors in a browser: a security key, an app without scripts, and the pages at both widths."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from accounts.second_factor import code_at
from tests.browser.person import Person
from tests.browser.watch import Watch
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser


@pytest.fixture
def at_localhost(chromium: Browser, lively: PortalProcess) -> Iterator[Person]:
    """A browser at the portal's name: keys are not for bare addresses."""
    url = lively.url.replace("127.0.0.1", "localhost")
    context = chromium.new_context(locale="en-US", viewport={"width": 1440, "height": 900})
    watch = Watch(context, url)
    yield Person(context.new_page(), url)
    context.close()
    assert watch.complaints == []


def give_key(page: Page) -> None:
    """Plug a security key in, which its owner touches whenever it asks."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": False,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_a_security_key_is_added_and_then_needed(lively: PortalProcess, at_localhost: Person) -> None:
    lively.add_account("keeper")
    page = at_localhost.sign_in("keeper").page
    give_key(page)
    at_localhost.go("/accounts/second-factor/key/")
    page.get_by_label("Name of the key").fill("The blue one")
    page.get_by_role("button", name="Add the key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    expect(page.locator("main ol li")).to_have_count(10)
    at_localhost.go("/accounts/second-factor/")
    expect(page.get_by_role("row", name="The blue one")).to_be_visible()
    page.context.clear_cookies(name="portal_session")
    at_localhost.sign_in("keeper")
    expect(page.get_by_role("heading", level=1)).to_have_text("Second factor")
    page.get_by_role("button", name="Use a security key").click()
    expect(page).to_have_url(re.compile(r"/consent/$"))


def test_a_key_that_is_not_the_accounts_opens_nothing(lively: PortalProcess, at_localhost: Person) -> None:
    lively.add_account("holder")
    page = at_localhost.sign_in("holder").page
    give_key(page)
    at_localhost.go("/accounts/second-factor/key/")
    page.get_by_role("button", name="Add the key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    page.context.clear_cookies(name="portal_session")
    at_localhost.sign_in("holder")
    page.evaluate("() => { navigator.credentials.get = async () => { throw new Error('no') } }")
    page.get_by_role("button", name="Use a security key").click()
    expect(page.get_by_text("The key gave no answer.")).to_be_visible()
    form = page.locator("form[data-key]")
    form.evaluate('form => { form.elements.answer.value = \'{"id": "x"}\'; form.submit(); }')
    expect(page.get_by_role("alert").first).to_contain_text("That was not right.")


def test_an_app_is_added_and_used_without_scripts(chromium: Browser, lively: PortalProcess) -> None:
    lively.add_account("plain")
    context = chromium.new_context(locale="en-US", java_script_enabled=False)
    person = Person(context.new_page(), lively.url)
    page = person.sign_in("plain").page
    person.go("/accounts/second-factor/app/")
    secret = page.locator("p.mono").inner_text().replace(" ", "")
    page.get_by_label("Code").fill(code_at(secret, int(time.time()) // 30))
    page.get_by_role("button", name="Add the app").click()
    code = page.locator("main ol li").first.inner_text()
    context.clear_cookies(name="portal_session")
    person.sign_in("plain")
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Continue", exact=True).click()
    expect(page).to_have_url(re.compile(r"/consent/$"))
    context.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_pages_of_ones_own_account_are_accessible_at_both_widths(
    width: int, chromium: Browser, lively: PortalProcess, tmp_path: Path
) -> None:
    scheme: Literal["dark", "light"] = "dark" if width == 390 else "light"
    context = chromium.new_context(
        locale="en-US", viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    watch = Watch(context, lively.url)
    person = Person(context.new_page(), lively.url)
    person.sign_in("admin")
    expect(person.page).to_have_url(re.compile(r"/console/$"))
    for path in (
        "second-factor/",
        "second-factor/app/",
        "second-factor/key/",
        "sessions/",
        "password/",
        "confirm/",
    ):
        person.go(f"/accounts/{path}")
        found = Axe().run(person.page)
        assert not found.response["violations"], (path, found.generate_report())
        assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        person.page.screenshot(path=tmp_path / f"{path.replace('/', '_')}{width}.png", full_page=True)
    context.close()
    assert watch.complaints == []
