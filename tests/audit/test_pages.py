"""Auditors read their own tenant's log, page by page, and their reading is recorded; nobody else sees any of it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from accounts.services import create_account
from audit import views
from audit.guards import create_guards, drop_guards
from audit.models import AuditEvent
from audit.queries import PAGE_ROWS, EventFilter, find_events
from audit.services import record_event
from tenants.services import create_tenant

pytestmark = pytest.mark.django_db
PASSWORD = "river heron 7"
EVERYBODY_ELSE = ("member", "admin", "officer", "operator")


def make_account(role: str, *, code: str = "demo") -> User:
    tenant = None if role == "operator" else create_tenant(code=code, name=code)
    return create_account(tenant=tenant, login=role, display_name=role, role=role, password=PASSWORD)


def signed_in(account: User) -> Client:
    client = Client()
    client.force_login(account, backend="accounts.backends.PortalBackend")
    return client


@pytest.fixture
def auditor() -> User:
    return make_account("auditor")


@pytest.fixture
def client(auditor: User) -> Client:
    return signed_in(auditor)


def tenant_of(account: User) -> uuid.UUID:
    tenant_id = account.tenant_id
    assert tenant_id is not None
    return tenant_id


def fill(account: User, count: int, **values: Any) -> None:
    given: dict[str, Any] = {"action": "chat.request", "actor": None} | values
    for _ in range(count):
        record_event(tenant_id=tenant_of(account), **given)


def shown(client: Client, **query: Any) -> list[Any]:
    response = client.get(reverse("audit:log"), query)
    assert response.status_code == 200
    return list(response.context["events"])


def test_the_log_shows_the_tenants_events_newest_first(client: Client, auditor: User) -> None:
    fill(auditor, 3)
    places = [row.seq for row in shown(client)]
    assert places == sorted(places, reverse=True)
    assert places[-1] == 1


def test_events_of_other_tenants_and_of_the_platform_are_invisible(client: Client, auditor: User) -> None:
    other = make_account("auditor", code="other")
    fill(other, 5, action="chat.failed")
    record_event(tenant_id=None, action="portal.start", actor=None)
    assert not {"chat.failed", "portal.start"} & {row.action for row in shown(client)}
    highest = AuditEvent.objects.filter(tenant_id=tenant_of(auditor)).count()
    assert client.get(reverse("audit:event", args=[highest + 3])).status_code == 404


@pytest.mark.parametrize("role", EVERYBODY_ELSE)
def test_other_roles_get_a_missing_page(role: str) -> None:
    visitor = signed_in(make_account(role))
    assert visitor.get(reverse("audit:log")).status_code == 404
    assert visitor.get(reverse("audit:event", args=[1])).status_code == 404
    assert visitor.post(reverse("audit:verify")).status_code == 404


def test_strangers_are_sent_to_sign_in() -> None:
    for response in (Client().get(reverse("audit:log")), Client().post(reverse("audit:verify"))):
        assert response.status_code == 302
        assert reverse("account_login") in response["Location"]


def test_each_view_of_the_log_is_recorded_once(client: Client, auditor: User) -> None:
    client.get(reverse("audit:log"))
    client.get(reverse("audit:event", args=[1]))
    readings = AuditEvent.objects.filter(tenant_id=tenant_of(auditor), action="audit.read").order_by("seq")
    assert [(event.object_type, event.object_id) for event in readings] == [("", ""), ("event", "1")]
    assert all(event.actor.startswith("u_") for event in readings)


def test_what_cannot_be_recorded_cannot_be_read(client: Client) -> None:
    drop_guards(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON audit_auditevent BEGIN SELECT RAISE(ABORT, 'x'); END"
        )
    assert client.get(reverse("audit:log")).status_code == 503


def test_the_list_cannot_be_changed(client: Client) -> None:
    for method in (client.post, client.put, client.delete, client.patch):
        assert method(reverse("audit:log")).status_code == 405
    assert client.get(reverse("audit:verify")).status_code == 405


def test_filters_find_by_action_family_status_and_actor(client: Client, auditor: User) -> None:
    fill(auditor, 2, action="chat.failed", status=500, outcome="failed", actor=uuid.UUID(int=3))
    fill(auditor, 1, action="policy.block_input", status=403, outcome="refused")
    fill(auditor, 1, action="chat.complete")
    assert len(shown(client, action="chat.failed")) == 2
    assert len(shown(client, action="chat.*")) == 3
    assert len(shown(client, status="5xx")) == 2
    assert len(shown(client, status="403")) == 1
    assert {row.action for row in shown(client, status="4xx")} == {"policy.block_input"}
    assert not {row.status for row in shown(client, status="ok")} & {403, 500}
    actor = shown(client, action="chat.failed")[0].actor
    assert len(shown(client, actor=actor[:6], action="chat.*")) == 2
    assert {row.actor for row in shown(client, actor="system")} == {"system"}


def test_times_are_read_in_the_portals_zone(client: Client, auditor: User, settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    here = datetime.now(ZoneInfo("Asia/Shanghai"))
    today = f"{here:%Y-%m-%d}"
    assert shown(client, since=today, until=today)
    assert shown(
        client, since=f"{here - timedelta(minutes=5):%Y-%m-%dT%H:%M}", until=f"{here:%Y-%m-%dT%H:%M}"
    )
    assert not shown(client, since=f"{here + timedelta(minutes=5):%Y-%m-%dT%H:%M}")
    assert not shown(client, until=f"{here - timedelta(minutes=5):%Y-%m-%dT%H:%M}", since="2020-01-01")


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"until": "2026-13-40"},
        {"since": "2026-11-22", "until": "2026-11-20"},
        {"action": "chat.whisper"},
        {"status": "999"},
        {"status": "²²²"},
        {"status": "6xx"},
        {"actor": "李雷"},
        {"actor": "u_%"},
        {"before": "first"},
        {"before": "-1"},
        {"before": "9" * 30},
        {"before": "5", "after": "2"},
    ],
)
def test_bad_filters_get_an_error_in_the_form(client: Client, query: dict[str, str]) -> None:
    response = client.get(reverse("audit:log"), query)
    assert response.status_code == 400
    assert response.context["filter_form"].errors
    assert response.context["events"] == []


@pytest.mark.parametrize("seq", [0, 99, 2**63, 10**30])
def test_an_event_that_does_not_exist_is_a_missing_page(client: Client, seq: int) -> None:
    assert client.get(f"/audit/{seq}/").status_code == 404


def test_pages_hold_each_event_once_while_others_are_added(auditor: User) -> None:
    fill(auditor, 2 * PAGE_ROWS + 7)
    total = AuditEvent.objects.filter(tenant_id=tenant_of(auditor)).count()
    seen: list[int] = []
    before = None
    while True:
        page = find_events(tenant_of(auditor), wanted=EventFilter(), before=before)
        seen += [event.seq for event in page.events]
        if not page.has_older:
            break
        before = seen[-1]
        fill(auditor, 3)
    assert seen == list(range(total, 0, -1))


def test_paging_leads_back_to_where_it_came_from(client: Client, auditor: User) -> None:
    fill(auditor, 2 * PAGE_ROWS)
    first = client.get(reverse("audit:log"), {"action": "chat.request"})
    second = client.get(first.context["page"].older_url)
    assert {row.action for row in second.context["events"]} == {"chat.request"}
    back = client.get(second.context["page"].newer_url)
    assert [row.seq for row in back.context["events"]] == [row.seq for row in first.context["events"]]
    assert first.context["page"].newer_url == ""


def test_an_event_is_shown_beside_the_page_that_holds_it(client: Client, auditor: User) -> None:
    fill(auditor, 2 * PAGE_ROWS)
    recent = client.get(reverse("audit:event", args=[90]))
    assert recent.context["selected"].seq == 90
    assert recent.context["events"][0].seq > 90
    old = client.get(reverse("audit:event", args=[2]))
    assert [row.seq for row in old.context["events"]] == [2, 1]


def test_the_page_verifies_the_chain(client: Client) -> None:
    banner = client.get(reverse("audit:log")).context["verification"]
    assert (banner.ok, banner.first_bad_seq) == (True, None)
    assert banner.checked_at is not None


def test_a_broken_chain_is_shown_at_its_first_bad_event(client: Client, auditor: User) -> None:
    fill(auditor, 5)
    drop_guards(connection)
    AuditEvent.objects.filter(tenant_id=tenant_of(auditor), seq=4).update(status=500)
    create_guards(connection)
    response = client.get(reverse("audit:log"))
    banner = response.context["verification"]
    assert (banner.ok, banner.count, banner.first_bad_seq) == (False, 3, 4)
    assert banner.reason
    assert [row.seq for row in response.context["events"] if row.is_broken] == [4]


def test_a_long_chain_is_verified_on_request_only(
    client: Client, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "VERIFIED_ON_SIGHT", 1)
    assert client.get(reverse("audit:log")).context["verification"].ok is None
    assert client.post(reverse("audit:verify")).status_code == 302
    assert client.get(reverse("audit:log")).context["verification"].ok is True


@pytest.mark.parametrize(("broken", "outcome", "status"), [(False, "ok", 200), (True, "failed", 409)])
def test_verifying_is_recorded_with_its_result(
    client: Client, auditor: User, broken: bool, outcome: str, status: int
) -> None:
    if broken:
        drop_guards(connection)
        AuditEvent.objects.filter(tenant_id=tenant_of(auditor), seq=1).update(status=500)
        create_guards(connection)
    response = client.post(reverse("audit:verify"))
    assert response.status_code == 302
    recorded = AuditEvent.objects.filter(tenant_id=tenant_of(auditor), action="audit.verify").get()
    assert (recorded.outcome, recorded.status) == (outcome, status)


def test_rows_hold_what_the_page_shows(client: Client, auditor: User) -> None:
    conversation = uuid.uuid4()
    fill(
        auditor,
        1,
        action="chat.complete",
        object_type="conv",
        object_id=str(conversation),
        ip="10.24.3.77",
        duration_ms=4820,
        first_token_ms=310,
        tokens_in=20,
        tokens_out=7,
        model_digest="a" * 64,
        policy_version="2026.11",
    )
    row = shown(client, action="chat.complete")[0]
    assert (row.object_label, row.ip, row.tone) == (f"conv/{str(conversation)[:8]}", "10.24.3.xxx", "ok")
    assert (row.duration_ms, row.first_token_ms, row.tokens_in, row.tokens_out) == (4820, 310, 20, 7)
    assert (row.model_digest, row.policy_version, len(row.hash)) == ("a" * 64, "2026.11", 64)
