"""Nobody chats without having agreed to the notice that is in force."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from audit.models import AuditEvent
from chat.models import Conversation
from common.errors import ConsentRequired
from consent.models import ConsentNotice, ConsentRecord
from consent.services import accept_notice, list_records, require_consent, withdraw_consent
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.consent.conftest import Publish, browser
from tests.tenants.support import tenant_of

GATE = "/consent/"


def records(person: User) -> list[ConsentRecord]:
    with tenant_scope(tenant_of(person)):
        return list_records(person)


def has_consented(person: User) -> bool:
    with tenant_scope(tenant_of(person)):
        try:
            require_consent(person)
        except ConsentRequired:
            return False
    return True


def events(person: User) -> list[AuditEvent]:
    return list(
        AuditEvent.objects.filter(tenant_id=tenant_of(person), action__startswith="consent.").order_by("seq")
    )


def agree(client: Client, **more: Any) -> Any:
    return client.post(GATE, {"decision": "agree"} | more)


@pytest.fixture
def conversation(cast: Cast) -> Conversation:
    with tenant_scope(tenant_of(cast.member)):
        row: Conversation = Conversation.objects.create(
            tenant_id=tenant_of(cast.member), owner=cast.member, title="Herons"
        )
    return row


def test_every_chat_page_leads_to_the_notice_until_it_is_accepted(
    cast: Cast, member: Client, conversation: Conversation
) -> None:
    path = f"/c/{conversation.id}/"
    pages = [("get", "/"), ("get", path), ("post", f"{path}rename/"), ("post", f"{path}delete/")]
    for method, page in pages:
        response = getattr(member, method)(page, {"title": "x"})
        assert (response.status_code, response["Location"]) == (302, GATE), page
    with tenant_scope(conversation.tenant_id):
        assert Conversation.objects.get(pk=conversation.pk).title == "Herons"
    assert agree(member)["Location"] == "/"
    assert member.get("/").status_code == 200
    assert member.get(path).status_code == 200


def test_what_a_conversation_is_cannot_be_found_out_before_consent(cast: Cast, member: Client) -> None:
    assert member.get(f"/c/{uuid.uuid4()}/")["Location"] == GATE


def test_one_can_leave_without_consent(cast: Cast, member: Client, conversation: Conversation) -> None:
    """Seeing what is kept and erasing it needs no consent."""
    assert member.get("/privacy/").status_code == 200
    assert member.post("/c/clear/", {"confirm": "delete"}).status_code == 302
    with tenant_scope(conversation.tenant_id):
        assert not Conversation.objects.exists()


def test_agreeing_is_recorded_with_version_language_and_hash(cast: Cast, member: Client) -> None:
    page = member.get(GATE)
    assert page.status_code == 200
    assert 'name="version" value="1"' in page.text
    assert agree(member, version="1")["Location"] == "/"
    (record,) = records(cast.member)
    with tenant_scope(record.tenant_id):
        notice = ConsentNotice.objects.get(version=1, language="en")
    assert notice.sha256 == notice.digest()
    assert (record.notice_version, record.notice_language, record.notice_sha256) == (1, "en", notice.sha256)
    assert notice.sha256[:12] in page.text
    assert record.withdrawn_at is None
    assert [(event.action, event.object_id) for event in events(cast.member)] == [("consent.accept", "v1")]


def test_the_language_that_is_read_is_the_one_that_is_recorded(cast: Cast) -> None:
    client = Client(headers={"accept-language": "zh-hans"})
    client.force_login(cast.member)
    agree(client)
    (record,) = records(cast.member)
    assert record.notice_language == "zh-hans"


def test_agreeing_twice_is_agreeing_once(cast: Cast, member: Client) -> None:
    for _ in range(2):
        assert agree(member)["Location"] == "/"
    assert len(records(cast.member)) == 1
    assert len(events(cast.member)) == 1


def test_consent_is_ones_own(cast: Cast, member: Client) -> None:
    agree(member)
    assert has_consented(cast.member)
    assert not has_consented(cast.colleague)
    assert not has_consented(cast.outsider)
    assert browser(cast.colleague).get("/")["Location"] == GATE


def test_declining_signs_out_and_leaves_nothing_but_the_event(cast: Cast, member: Client) -> None:
    response = member.post(GATE, {"decision": "decline"})
    assert (response.status_code, response["Location"]) == (302, "/consent/declined/")
    assert "_auth_user_id" not in member.session
    assert records(cast.member) == []
    (event,) = events(cast.member)
    assert (event.action, event.outcome, event.object_id) == ("consent.decline", "refused", "v1")
    assert member.get("/consent/declined/").status_code == 200
    assert member.get("/")["Location"].startswith("/accounts/login/")


def test_declining_a_new_version_withdraws_nothing_that_was_agreed_before(
    cast: Cast, member: Client, publish: Publish
) -> None:
    agree(member)
    publish()
    member.post(GATE, {"decision": "decline"})
    assert [(record.notice_version, record.withdrawn_at) for record in records(cast.member)] == [(1, None)]
    assert not has_consented(cast.member)


def test_a_new_version_asks_again_in_an_open_session(cast: Cast, member: Client, publish: Publish) -> None:
    agree(member)
    assert member.get("/").status_code == 200
    assert publish() == 2
    assert member.get("/")["Location"] == GATE
    page = member.get(GATE)
    assert "Changed question?" in page.text
    assert 'name="version" value="2"' in page.text
    assert agree(member, version="2")["Location"] == "/"
    assert sorted(record.notice_version for record in records(cast.member)) == [1, 2]


def test_agreeing_to_an_outdated_version_shows_the_new_one_and_records_nothing(
    cast: Cast, member: Client, publish: Publish
) -> None:
    member.get(GATE)
    publish()
    response = agree(member, version="1")
    assert response.status_code == 200
    assert 'name="version" value="2"' in response.text
    assert records(cast.member) == []
    assert events(cast.member) == []


def test_a_notice_that_was_replaced_between_reading_and_recording_is_not_accepted(
    cast: Cast, publish: Publish
) -> None:
    with tenant_scope(tenant_of(cast.member)):
        read = ConsentNotice.objects.get(version=1, language="en")
    publish()
    with tenant_scope(tenant_of(cast.member)), pytest.raises(ConsentRequired):
        accept_notice(cast.member, notice=read, ip=None)
    assert records(cast.member) == []


@pytest.mark.parametrize(
    "fields",
    [{}, {"decision": ""}, {"decision": "yes"}, {"decision": "AGREE"}, {"decision": "agree", "version": "x"}],
)
def test_an_unclear_answer_is_no_consent(fields: dict[str, str], cast: Cast, member: Client) -> None:
    assert member.post(GATE, fields).status_code == 400
    assert records(cast.member) == []


def test_withdrawing_closes_the_chat_at_once_and_keeps_the_record(cast: Cast, member: Client) -> None:
    agree(member)
    assert member.post("/consent/withdraw/")["Location"] == GATE
    assert member.get("/")["Location"] == GATE
    (record,) = records(cast.member)
    assert record.withdrawn_at is not None
    assert [event.action for event in events(cast.member)] == ["consent.accept", "consent.withdraw"]
    assert agree(member)["Location"] == "/"
    assert [bool(record.withdrawn_at) for record in records(cast.member)] == [False, True]


def test_the_gate_speaks_of_a_change_only_where_there_is_one(
    cast: Cast, member: Client, publish: Publish
) -> None:
    changed = "has changed since you last agreed"
    assert changed not in member.get(GATE).text
    agree(member)
    member.post("/consent/withdraw/")
    assert changed not in member.get(GATE).text
    publish()
    assert changed in member.get(GATE).text
    agree(member)
    member.post("/consent/withdraw/")
    assert changed not in member.get(GATE).text


def test_a_notice_says_whether_the_persons_consent_to_it_stands(cast: Cast, member: Client) -> None:
    agreed, withdrawn = "You agreed on", "and withdrew your consent on"
    assert agreed not in member.get("/consent/notice/1/").text
    agree(member)
    page = member.get("/consent/notice/1/").text
    assert agreed in page
    assert withdrawn not in page
    member.post("/consent/withdraw/")
    assert withdrawn in member.get("/consent/notice/1/").text
    agree(member)
    assert withdrawn not in member.get("/consent/notice/1/").text


def test_withdrawing_ends_consent_to_every_version_and_twice_is_once(
    cast: Cast, member: Client, publish: Publish
) -> None:
    agree(member)
    publish()
    agree(member)
    for _ in range(2):
        member.post("/consent/withdraw/")
    assert all(record.withdrawn_at for record in records(cast.member))
    assert [event.action for event in events(cast.member)].count("consent.withdraw") == 1


def test_withdrawing_is_ones_own(cast: Cast, member: Client) -> None:
    agree(member)
    agree(browser(cast.colleague))
    member.post("/consent/withdraw/")
    assert has_consented(cast.colleague)
    with tenant_scope(tenant_of(cast.member)):
        withdraw_consent(cast.member, ip=None)
    assert has_consented(cast.colleague)


def test_without_a_notice_nobody_chats(cast: Cast, member: Client) -> None:
    with tenant_scope(tenant_of(cast.member)):
        ConsentNotice.objects.all().delete()
    assert member.get("/")["Location"] == GATE
    assert member.get(GATE).status_code == 403
    assert agree(member).status_code == 403
    assert not has_consented(cast.member)


def test_the_address_is_masked_in_the_event(cast: Cast, member: Client) -> None:
    member.post(GATE, {"decision": "agree"}, REMOTE_ADDR="198.51.100.77")
    (event,) = events(cast.member)
    assert event.ip
    assert "77" not in event.ip
    assert cast.member.login_name not in event.actor
    assert str(cast.member.id) not in event.actor
