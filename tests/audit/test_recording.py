"""Events are chained, narrow, pseudonymous, and one with what they record."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from audit import chain
from audit.errors import AuditUnavailable, ContentRefused, UnknownAction
from audit.guards import drop_guards
from audit.models import AuditChain, AuditEvent
from audit.pseudonyms import pseudonym_of
from audit.services import record_event
from audit.verification import verify_chain
from crypto import providers
from crypto.keyring import keyring
from crypto.scope import PLATFORM

pytestmark = pytest.mark.django_db
ACTOR = uuid.UUID(int=5)


def record(tenant_id: uuid.UUID | None, **values: Any) -> AuditEvent:
    given: dict[str, Any] = {"action": "chat.request", "actor": ACTOR} | values
    return record_event(tenant_id=tenant_id, **given)


def test_events_continue_each_other(tenant_id: uuid.UUID) -> None:
    first, second = record(tenant_id), record(tenant_id)
    assert (first.seq, first.prev_hash) == (1, chain.GENESIS)
    assert (second.seq, second.prev_hash) == (2, first.hash)
    assert verify_chain(tenant_id).ok


def test_the_database_moves_the_head(tenant_id: uuid.UUID) -> None:
    record(tenant_id)
    last = record(tenant_id)
    head = AuditChain.objects.get(pk=tenant_id)
    assert (head.seq, head.hash) == (2, last.hash)


def test_the_hash_can_be_computed_by_anyone(tenant_id: uuid.UUID) -> None:
    event = record(
        tenant_id,
        object_type="conv",
        object_id=str(uuid.UUID(int=9)),
        ip="10.24.3.77",
        duration_ms=12,
        tokens_out=3,
    )
    text = (
        f'["portal-audit-1","{tenant_id}",1,{event.at_us},"{event.actor}","chat.request","conv",'
        f'"00000000-0000-0000-0000-000000000009","ok",200,12,"10.24.3.xxx","","",null,null,3,"{"0" * 64}"]'
    )
    assert chain.canonical(event.hashed_values()) == text.encode()
    assert AuditEvent.objects.get(pk=event.pk).hashed_values() == event.hashed_values()


def test_what_belongs_to_no_tenant_goes_to_the_platforms_chain() -> None:
    assert record(None, action="portal.start", actor=None).tenant_id == PLATFORM


def test_recording_costs_two_statements(tenant_id: uuid.UUID) -> None:
    record(tenant_id, actor=None)
    with CaptureQueriesContext(connection) as queries:
        record(tenant_id, actor=None)
    assert len([query for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]) == 2


def test_an_unregistered_action_raises(tenant_id: uuid.UUID) -> None:
    with pytest.raises(UnknownAction):
        record(tenant_id, action="chat.whisper")
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"object_type": "prompt", "object_id": "x"},
        {"object_type": "conv", "object_id": "please write a poem"},
        {"object_type": "conv", "object_id": "hunter2"},
        {"object_type": "conv", "object_id": ""},
        {"object_type": "", "object_id": "hello"},
        {"object_type": "rule", "object_id": "two words"},
        {"object_type": "rule", "object_id": "身份证"},
        {"object_type": "rule", "object_id": "A" * 41},
        {"object_type": "account", "object_id": "li.wei"},
        {"object_type": "limit", "object_id": "rate\nper"},
        {"model_digest": "the model said"},
        {"policy_version": "hello there 1"},
        {"policy_version": "words"},
        {"outcome": "it went well"},
        {"status": 42},
        {"status": True},
        {"duration_ms": -1},
        {"tokens_in": "many"},
        {"tokens_out": 2**31},
        {"first_token_ms": 1.5},
        {"ip": "li.wei@home"},
    ],
)
def test_content_like_values_are_refused_and_not_repeated(
    tenant_id: uuid.UUID, values: dict[str, Any]
) -> None:
    with pytest.raises(ContentRefused) as caught:
        record(tenant_id, **values)
    refused = [str(value) for name, value in values.items() if name != "object_type" and len(str(value)) > 2]
    assert not [text for text in refused if text in str(caught.value)]
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("ip", "masked"),
    [
        ("10.24.3.77", "10.24.3.xxx"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::ffff:192.0.2.9", "192.0.2.xxx"),
        ("", ""),
        (None, ""),
    ],
)
def test_addresses_are_masked(tenant_id: uuid.UUID, ip: str | None, masked: str) -> None:
    assert record(tenant_id, ip=ip).ip == masked


def test_people_are_pseudonyms_that_stay_within_a_tenant_and_differ_between_tenants(
    tenant_id: uuid.UUID,
) -> None:
    names = [record(tenant_id).actor, record(tenant_id).actor, record(uuid.uuid4()).actor]
    assert names[0] == names[1] != names[2]
    assert len(names[0]) == len("u_") + 16
    assert ACTOR.hex[:16] not in names[0]


def test_a_pseudonym_cannot_be_made_without_the_tenants_key(tenant_id: uuid.UUID, own_keys: Path) -> None:
    before = pseudonym_of(ACTOR, tenant_id)
    own_keys.unlink()
    keyring.forget()
    providers._local_provider.cache_clear()
    with pytest.raises(AuditUnavailable):
        record(uuid.uuid4())
    assert before.startswith("u_")


@pytest.mark.parametrize("version", ["", "1", "2026.11-2", "abcdefabcdef", "0" * 40])
def test_versions_of_rule_sets_are_accepted(tenant_id: uuid.UUID, version: str) -> None:
    assert record(tenant_id, policy_version=version).policy_version == version


def test_the_portal_itself_is_called_system(tenant_id: uuid.UUID) -> None:
    assert record(tenant_id, actor=None).actor == "system"


def test_an_event_goes_with_the_transaction_that_it_belongs_to(tenant_id: uuid.UUID) -> None:
    with transaction.atomic():
        record(tenant_id)
        transaction.set_rollback(True)
    assert not AuditEvent.objects.filter(tenant_id=tenant_id).exists()
    assert record(tenant_id).seq == 1


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_recorded_is_undone_even_if_the_caller_goes_on(tenant_id: uuid.UUID) -> None:
    record(tenant_id)
    drop_guards(connection)
    AuditChain.objects.filter(pk=tenant_id).update(seq=0, hash=chain.GENESIS)
    other = uuid.uuid4()
    with transaction.atomic():
        record(other)
        with pytest.raises(AuditUnavailable):
            record(tenant_id)
    assert not AuditEvent.objects.filter(tenant_id=other).exists()


def test_a_lost_head_stops_the_chain(tenant_id: uuid.UUID) -> None:
    record(tenant_id)
    drop_guards(connection)
    AuditChain.objects.filter(pk=tenant_id).delete()
    with pytest.raises(AuditUnavailable), transaction.atomic():
        record(tenant_id)


def test_a_database_error_says_nothing_of_the_event(tenant_id: uuid.UUID, settings: Settings) -> None:
    drop_guards(connection)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent RENAME TO elsewhere")
    with pytest.raises(AuditUnavailable) as caught, transaction.atomic():
        record(tenant_id)
    assert (caught.value.code, caught.value.http_status) == ("audit_unavailable", 503)
    assert str(tenant_id) not in str(caught.value)


def test_events_have_no_foreign_keys_and_no_free_text() -> None:
    fields = AuditEvent._meta.get_fields()
    assert not [field for field in fields if field.is_relation]
    assert not [field for field in fields if field.get_internal_type() == "TextField"]


def test_every_hashed_field_exists_and_every_other_is_explained() -> None:
    names = {field.name for field in AuditEvent._meta.get_fields()}
    assert names - set(chain.HASHED_FIELDS) == {"id", "hash"}
