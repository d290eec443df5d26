"""Every conversation of a person can be reached from the side bar, however many there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from urllib.parse import urljoin

import pytest
from django.test import Client

from chat import listing
from chat.listing import Place
from chat.models import Conversation
from common import clock
from common.errors import BadRequest
from consent.services import accept_notice, read_current_notice
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.consent.conftest import browser
from tests.tenants.support import tenant_of

LISTED = re.compile(r'class="conv">\s*<a href="/c/([0-9a-f-]{36})/[^"]*"')
EARLIER = re.compile(r'href="([^"]*)" rel="next"')


@pytest.fixture
def member(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The browser of the member, whose side bar lists two conversations at a time."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    with tenant_scope(tenant_of(cast.member)):
        accept_notice(cast.member, notice=read_current_notice(language="en"), ip=None)
    return browser(cast.member)


@pytest.fixture
def seven(cast: Cast) -> list[str]:
    """Return the ids of seven conversations, newest first; four of them are of the same moment."""
    now, tenant_id = clock.now(), tenant_of(cast.member)
    with tenant_scope(tenant_id):
        made = [
            Conversation.objects.create(
                tenant_id=tenant_id,
                owner=cast.member,
                title=f"heron {age}",
                updated_at=now - timedelta(days=age),
            )
            for age in (0, 1, 1, 1, 1, 30, 400)
        ]
    return [str(row.id) for row in sorted(made, key=lambda row: (row.updated_at, row.id.hex), reverse=True)]


def pages(client: Client, start: str) -> Iterator[str]:
    """Follow the links to earlier conversations to the end."""
    address = start
    for _ in range(10):
        page = client.get(address).text
        yield page
        link = EARLIER.search(page)
        if link is None:
            return
        address = urljoin(address, unescape(link.group(1)))
    pytest.fail("the list does not end")


def test_every_conversation_is_listed_once_and_in_order(member: Client, seven: list[str]) -> None:
    shown = [LISTED.findall(page) for page in pages(member, "/")]
    assert [len(page) for page in shown] == [2, 2, 2, 1]
    assert [conversation for page in shown for conversation in page] == seven


def test_turning_pages_keeps_the_conversation_that_is_open(member: Client, seven: list[str]) -> None:
    shown = list(pages(member, f"/c/{seven[3]}/"))
    assert [conversation for page in shown for conversation in LISTED.findall(page)] == seven
    assert all(f'data-conversation="{seven[3]}"' in page for page in shown)


def test_a_listed_conversation_opens_beside_the_same_page_of_the_list(
    member: Client, seven: list[str]
) -> None:
    *_, last = pages(member, "/")
    link = re.search(rf'href="(/c/{seven[-1]}/\?before=[^"]+)"', last)
    assert link is not None
    assert LISTED.findall(member.get(link.group(1)).text) == [seven[-1]]


def test_only_older_pages_lead_back_to_the_newest(member: Client, seven: list[str]) -> None:
    shown = list(pages(member, "/?temporary=1"))
    assert ["Newest conversations" in page for page in shown] == [False, True, True, True]
    assert all('data-mode="temp"' in page for page in shown)


def test_a_place_stays_good_when_its_conversation_is_deleted(
    cast: Cast, member: Client, seven: list[str]
) -> None:
    link = EARLIER.search(member.get("/").text)
    assert link is not None
    with tenant_scope(tenant_of(cast.member)):
        Conversation.objects.filter(pk=seven[1]).delete()
    assert LISTED.findall(member.get(f"/{unescape(link.group(1))}").text) == seven[2:4]


def test_a_place_shows_ones_own_conversations_only(cast: Cast, member: Client, seven: list[str]) -> None:
    with tenant_scope(tenant_of(cast.colleague)):
        accept_notice(cast.colleague, notice=read_current_notice(language="en"), ip=None)
    link = EARLIER.search(member.get("/").text)
    assert link is not None
    page = browser(cast.colleague).get(f"/{unescape(link.group(1))}")
    assert page.status_code == 200
    assert LISTED.findall(page.text) == []
    assert "No earlier conversations." in page.text


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "-",
        "1",
        "1-2",
        "-1-" + "a" * 32,
        "9" * 18 + "-" + "a" * 32,
        "9" * 5000,
        "١-" + "a" * 32,
        "1-\x00",
    ],
)
def test_what_is_no_place_is_refused(text: str, member: Client) -> None:
    with pytest.raises(BadRequest):
        Place.read(text)
    assert member.get("/", {"before": text}).status_code == 400


def test_a_place_survives_being_written_down() -> None:
    place = Place(clock.now(), Conversation().id)
    assert Place.read(str(place)) == place
    assert Place.read("") is None
