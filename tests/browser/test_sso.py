"""In a real browser people get in through their organisation's own page, and leaving there is leaving here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.browser.conftest import Visit
from tests.browser.looks import find_faults
from tests.browser.person import Person
from tests.browser.ways import SECRET
from tests.portal import PortalProcess
from tests.providers.server import Providers, running_providers

PAGE_BYTES, PAGE_REQUESTS = 150_000, 6


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PortalProcess, Providers]]:
    """A portal whose organisation has an OpenID provider and a CAS server."""
    portal = PortalProcess(tmp_path_factory.mktemp("house") / "data", PORTAL_ENGINE="scripted")
    with running_providers() as providers:
        back = f"{portal.url}/o/demo/in/sso"
        providers.arrange(
            people={name: {"name": name.title(), "groups": ["staff"]} for name in ("lan", "bo", "yu", "rui")},
            clients=[
                {
                    "id": "portal",
                    "secret": SECRET,
                    "redirect_uris": [f"{back}/callback/"],
                    "backchannel_logout_uri": f"{back}/logout/",
                    "frontchannel_logout_uri": f"{back}/frame/",
                    "post_logout_redirect_uris": [f"{portal.url}/accounts/login/"],
                }
            ],
        )
        portal.start()
        ways = f"ways.open_ways({providers.issuer!r}, {providers.cas!r})"
        portal.manage("shell", "-c", f"from tests.browser import ways; {ways}")
        yield portal, providers
        portal.stop()


@pytest.fixture
def surf(chromium: Browser, house: tuple[PortalProcess, Providers]) -> Iterator[Callable[[], Person]]:
    """Return what opens a fresh browser, which may leave the portal; our own pages must not complain."""
    contexts = []
    complaints: list[str] = []

    def opened() -> Person:
        context = chromium.new_context(
            locale="en-US", viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        ours = house[0].url
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type == "error" and page.url.startswith(ours) and "status of" not in said.text
                else None
            ),
        )
        return Person(page, ours)

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def sign_in_there(page: Page, login: str) -> None:
    """Fill in the provider's own page."""
    page.locator('input[name="login"], input[name="username"]').fill(login)
    page.locator('input[name="password"]').fill(login)
    page.locator('input[name="password"]').press("Enter")


def get_in(person: Person, way: str, login: str) -> Person:
    person.go("/o/demo/").page.get_by_role("link", name=way).click()
    sign_in_there(person.page, login)
    expect(person.page).to_have_url(re.compile(f"^{person.url}/(consent/)?$"))
    return person.agree()


def expect_out(person: Person) -> None:
    """Leaving elsewhere is told by the provider to the portal, which takes a moment."""
    deadline = time.monotonic() + 10
    while "/accounts/login/" not in person.go("/privacy/").page.url:
        assert time.monotonic() < deadline, "still signed in"
        time.sleep(0.2)


@pytest.mark.parametrize(("way", "login"), [("House ID", "lan"), ("Campus", "bo")])
def test_people_get_in_through_their_organisations_page(
    way: str, login: str, surf: Callable[[], Person], house: tuple[PortalProcess, Providers]
) -> None:
    """And the next time without a password, as long as they are signed in there; the organisation is remembered."""
    person = get_in(surf(), way, login)
    person.page.locator(".me").click()
    person.page.get_by_role("button", name="Sign out").click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text("You are signed out here")
    assert find_faults(person.page) == []
    person.go("/accounts/login/").page.get_by_role("link", name=way).click()
    expect(person.page).to_have_url(f"{person.url}/")


def test_signing_out_there_too_ends_the_session_at_the_provider(surf: Callable[[], Person]) -> None:
    person = get_in(surf(), "House ID", "lan")
    person.page.locator(".me").click()
    person.page.get_by_role("button", name="Sign out").click()
    person.page.get_by_role("link", name="Sign out of House ID too").click()
    person.page.locator('button[value="logout"], button[name="action"]').first.click()
    expect(person.page).to_have_url(re.compile(f"^{person.url}/accounts/login/"))
    person.page.get_by_role("link", name="House ID").click()
    expect(person.page.locator('input[name="password"]')).to_be_visible()


def test_signing_out_at_the_cas_server_closes_the_chat(
    surf: Callable[[], Person], house: tuple[PortalProcess, Providers]
) -> None:
    """Where it is open, within a moment; and the other person's stays."""
    person, other = get_in(surf(), "Campus", "bo"), get_in(surf(), "Campus", "yu")
    second = type(person)(person.page.context.new_page(), person.url)
    second.page.goto(f"{house[1].cas}logout")
    expect(person.page).to_have_url(re.compile("/accounts/login/"), timeout=5_000)
    expect_out(person)
    expect(other.go("/").field).to_be_visible()


def test_signing_out_at_the_openid_provider_ends_the_session_by_its_token(
    surf: Callable[[], Person], house: tuple[PortalProcess, Providers]
) -> None:
    person = get_in(surf(), "House ID", "lan")
    page = person.page.context.new_page()
    page.goto(f"{house[1].issuer}/accounts/logout/")
    page.locator("form button").first.click()
    expect(person.page).to_have_url(re.compile("/accounts/login/"), timeout=5_000)
    expect_out(person)


def test_signing_out_through_a_frame_ends_the_session(
    surf: Callable[[], Person], house: tuple[PortalProcess, Providers]
) -> None:
    """The provider's page loads ours in a frame, which only it may."""
    _portal, providers = house
    person = get_in(surf(), "House ID", "rui")
    page = person.page.context.new_page()
    with page.expect_response(re.compile("/o/demo/in/sso/frame/")) as framed:
        page.goto(f"{providers.issuer}/frames/")
    answer: Response = framed.value
    assert answer.status == 200
    assert page.frames[1].title() == "-", "shown, not barred"
    expect_out(person)


def test_an_identity_is_linked_after_the_person_has_confirmed_it(surf: Callable[[], Person]) -> None:
    person = surf().sign_in("member")
    person.go("/accounts/identities/").page.get_by_role("link", name="Link House ID").click()
    sign_in_there(person.page, "yu")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Link an identity")
    assert find_faults(person.page) == []
    person.page.get_by_role("button", name="Yes, this is me").click()
    expect(person.page.get_by_role("button", name="Unlink House ID")).to_be_visible()
    assert find_faults(person.page) == []
    other = get_in(surf(), "House ID", "yu")
    other.go("/accounts/identities/")
    expect(other.page.get_by_role("button", name="Unlink House ID")).to_be_visible()


def test_the_ways_are_found_without_scripts(
    chromium: Browser, house: tuple[PortalProcess, Providers]
) -> None:
    context = chromium.new_context(locale="en-US", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{house[0].url}/accounts/login/?next=/privacy/")
    page.get_by_label("Organisation").fill("demo")
    page.get_by_role("button", name="Other ways in").click()
    expect(page).to_have_url(f"{house[0].url}/o/demo/?next=%2Fprivacy%2F")
    page.get_by_role("link", name="Campus").click()
    sign_in_there(page, "bo")
    expect(page).to_have_url(re.compile("/(privacy|consent)/"))
    context.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_sign_in_page_is_small_and_fits(
    width: int, visit: Visit, house: tuple[PortalProcess, Providers]
) -> None:
    """Everything that a first visit loads, as it comes over the wire."""
    person = visit(house[0], width=width)
    sizes: list[int] = []
    person.page.on("requestfinished", lambda request: sizes.append(sum_of(request.sizes())))
    person.go("/o/demo/").page.wait_for_load_state("networkidle")
    assert 0 < len(sizes) <= PAGE_REQUESTS
    assert sum(sizes) <= PAGE_BYTES
    expect(person.page.get_by_role("link", name="Campus")).to_be_visible()
    assert find_faults(person.page) == []


def sum_of(sizes: object) -> int:
    assert isinstance(sizes, dict)
    return int(sizes["responseBodySize"]) + int(sizes["responseHeadersSize"])
