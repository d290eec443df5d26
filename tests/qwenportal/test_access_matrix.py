"""Every address, every person: what each may see is written in one table, and nothing is left out of it."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from audit.models import AuditEvent
from chat.models import Conversation
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.qwenportal.support import EVERYBODY, MODEL, ROWS, RULES, Row, browser, every_name
from tests.tenants.support import tenant_of


def ask(row: Row, name: str, cast: Cast, conversation: Conversation) -> Any:
    """Return the answer that the person gets, and undo whatever it did."""
    person = None if name == "anonymous" else cast.everybody()[name]
    with transaction.atomic():
        response = row.ask(browser(person), id=conversation.pk)
        transaction.set_rollback(True)
    return response


def test_every_address_has_a_row() -> None:
    assert every_name() == {row.name for row in ROWS}


def test_every_person_of_the_cast_has_a_column(cast: Cast) -> None:
    assert set(EVERYBODY) == {"anonymous", *cast.everybody()}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_person_gets_what_the_table_says(row: Row, cast: Cast, conversation: Conversation) -> None:
    answers = {name: ask(row, name, cast, conversation) for name in EVERYBODY}
    assert {name: answer.status_code for name, answer in answers.items()} == row.statuses


def test_whoever_is_not_signed_in_is_sent_to_sign_in(cast: Cast, conversation: Conversation) -> None:
    public = {
        "account_login",
        "account_logout",
        "account_signup",
        "healthz",
        "readyz",
        "set_language",
        "consent:declined",
    }
    for row in ROWS:
        if row.name not in public:
            assert ask(row, "anonymous", cast, conversation)["Location"].startswith(
                "/accounts/login/?next="
            ), row


@pytest.mark.parametrize("method", ["put", "delete", "options"])
def test_no_address_takes_another_method(method: str, cast: Cast, conversation: Conversation) -> None:
    client = browser(cast.member)
    for row in {row.path: row for row in ROWS}.values():
        with transaction.atomic():
            status = getattr(client, method)(
                row.path.format(id=conversation.pk, model=MODEL, rules=RULES)
            ).status_code
            transaction.set_rollback(True)
        assert status in {302, 404, 405} | ({200} if method == "options" else set()), row


NOT_THE_OWNER = [name for name in EVERYBODY if name not in ("anonymous", "member")]


@pytest.mark.parametrize("name", NOT_THE_OWNER)
def test_a_conversation_of_somebody_else_looks_like_none(
    name: str, cast: Cast, conversation: Conversation
) -> None:
    """Neither status nor page tell that it exists, whatever is tried with it."""
    client = browser(cast.everybody()[name])
    for method, path in (("get", ""), ("post", "rename/"), ("post", "delete/")):
        theirs, none = (
            getattr(client, method)(f"/c/{key}/{path}", {"title": "Mine now"})
            for key in (conversation.pk, uuid.uuid4())
        )
        assert theirs.status_code == none.status_code == 404
        assert without_request_number(theirs) == without_request_number(none)
        assert theirs.headers.keys() == none.headers.keys()
    with tenant_scope(conversation.tenant_id):
        assert Conversation.objects.get(pk=conversation.pk).title == "A heron at dawn"


def without_request_number(response: Any) -> str:
    return re.sub(r"[0-9a-f]{12}", "", response.text)


def test_erasing_everything_erases_ones_own_only(cast: Cast, conversation: Conversation) -> None:
    for person in (cast.colleague, cast.outsider):
        assert browser(person).post("/c/clear/", {"confirm": "delete"}).status_code == 302
    with tenant_scope(conversation.tenant_id):
        assert Conversation.objects.filter(pk=conversation.pk).exists()
    assert browser(cast.member).post("/c/clear/", {"confirm": "delete"}).status_code == 302
    with tenant_scope(conversation.tenant_id):
        assert not Conversation.objects.exists()


def test_nobody_finds_the_title_on_any_page_but_the_owner(cast: Cast, conversation: Conversation) -> None:
    for row in ROWS:
        for name, status in row.statuses.items():
            if row.method == "GET" and status == 200:
                is_shown = "A heron at dawn" in ask(row, name, cast, conversation).text
                assert is_shown == (name == "member" and row.name in ("chat:home", "chat:conversation")), (
                    row,
                    name,
                )


def test_a_refused_page_stands_in_the_log(cast: Cast) -> None:
    browser(cast.admin).get("/audit/")
    event = AuditEvent.objects.get(tenant_id=tenant_of(cast.admin), action="access.denied")
    assert (event.object_type, event.object_id, event.outcome, event.status) == (
        "permission",
        "audit.read",
        "refused",
        404,
    )


def test_an_auditor_reads_the_log_of_one_organisation_only(cast: Cast) -> None:
    """Both chains have events of these numbers; what stands in them is each organisation's own."""
    auditors = (cast.auditor, cast.outside_auditor)
    for path in ("/audit/", "/audit/1/"):
        for auditor in auditors:
            browser(auditor).get(path)
        pages = [browser(auditor).get(path).text for auditor in auditors]
        names = [pseudonyms(auditor) for auditor in auditors]
        for own, other in ((0, 1), (1, 0)):
            mine, theirs = names[own] - names[other], names[other] - names[own]
            assert mine
            assert all(name in pages[own] for name in mine)
            assert not any(name in pages[own] for name in theirs)


def pseudonyms(auditor: User) -> set[str]:
    """Return the actors of the auditor's chain as the page shows them."""
    events = AuditEvent.objects.filter(tenant_id=tenant_of(auditor)).exclude(actor="")
    return {actor[:10] for actor in events.values_list("actor", flat=True)}
