"""Whatever is done to a chain behind the portal's back is noticed, with the first bad event."""

from __future__ import annotations

import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit import naming
from audit.chain import GENESIS, HASHED_FIELDS, hash_of
from audit.guards import create_guards, drop_guards, missing_guards
from audit.models import AuditChain, AuditEvent
from audit.services import record_event
from audit.verification import Reason, latest_verification, verify_chain

pytestmark = pytest.mark.django_db
LENGTH = 6


@pytest.fixture
def chain_id(tenant_id: uuid.UUID) -> uuid.UUID:
    """Return a chain of six events whose guards were taken away, as an intruder would."""
    for _ in range(LENGTH):
        record_event(action="chat.request", tenant_id=tenant_id, actor=uuid.UUID(int=1), duration_ms=4)
    drop_guards(connection)
    return tenant_id


def at(chain_id: uuid.UUID, seq: int) -> AuditEvent:
    return AuditEvent.objects.get(tenant_id=chain_id, seq=seq)


def verdict(chain_id: uuid.UUID) -> tuple[bool, int, int | None, Reason]:
    found = verify_chain(chain_id)
    return found.ok, found.count, found.first_bad_seq, found.reason


def test_an_untouched_chain_is_whole(chain_id: uuid.UUID) -> None:
    assert verdict(chain_id) == (True, LENGTH, None, Reason.NONE)


def test_a_chain_that_never_began_is_whole() -> None:
    assert verdict(uuid.uuid4()) == (True, 0, None, Reason.NONE)


CHANGES = {
    "at_us": 1,
    "actor": "u_0000000000000000",
    "action": "chat.stop",
    "object_type": "conv",
    "object_id": "x",
    "outcome": "failed",
    "status": 201,
    "duration_ms": 5,
    "ip": "10.0.0.xxx",
    "model_digest": "0" * 64,
    "policy_version": "2",
    "first_token_ms": 1,
    "tokens_in": 1,
    "tokens_out": 1,
    "prev_hash": "0" * 64,
    "hash": "0" * 64,
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_value_is_noticed(chain_id: uuid.UUID, column: str) -> None:
    AuditEvent.objects.filter(tenant_id=chain_id, seq=3).update(**{column: CHANGES[column]})
    assert verdict(chain_id) == (False, 2, 3, Reason.ALTERED)


def test_every_column_is_tried() -> None:
    assert set(CHANGES) == {*HASHED_FIELDS, "hash"} - {"tenant_id", "seq"}


def test_a_value_of_another_type_is_noticed(chain_id: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditevent SET actor = x'00ff' WHERE seq = 3")
    assert verdict(chain_id) == (False, 2, 3, Reason.ALTERED)


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_removed_event_is_noticed(chain_id: uuid.UUID, seq: int) -> None:
    at(chain_id, seq).delete()
    assert verdict(chain_id) == (False, seq - 1, seq, Reason.GAP)


def test_a_cut_tail_is_noticed(chain_id: uuid.UUID) -> None:
    AuditEvent.objects.filter(tenant_id=chain_id, seq__gt=4).delete()
    assert verdict(chain_id) == (False, 4, 5, Reason.TRUNCATED)


def test_a_chain_that_was_emptied_is_noticed(chain_id: uuid.UUID) -> None:
    AuditEvent.objects.filter(tenant_id=chain_id).delete()
    assert verdict(chain_id) == (False, 0, 1, Reason.TRUNCATED)


def test_swapped_events_are_noticed(chain_id: uuid.UUID) -> None:
    two, four = at(chain_id, 2), at(chain_id, 4)
    AuditEvent.objects.filter(pk=two.pk).update(seq=99)
    AuditEvent.objects.filter(pk=four.pk).update(seq=2)
    AuditEvent.objects.filter(pk=two.pk).update(seq=4)
    assert verdict(chain_id) == (False, 1, 2, Reason.ALTERED)


def test_an_event_moved_to_another_chain_is_noticed_in_both(chain_id: uuid.UUID) -> None:
    other = uuid.uuid4()
    AuditEvent.objects.filter(pk=at(chain_id, 1).pk).update(tenant_id=other)
    assert verdict(chain_id) == (False, 0, 1, Reason.GAP)
    assert verdict(other)[0] is False


def test_a_rewritten_event_with_a_fitting_hash_breaks_the_link_after_it(chain_id: uuid.UUID) -> None:
    event = at(chain_id, 3)
    event.status = 500
    event.hash = hash_of(event.hashed_values())
    event.save()
    assert verdict(chain_id) == (False, 3, 4, Reason.UNLINKED)


def test_a_chain_rewritten_to_its_end_does_not_fit_its_head(chain_id: uuid.UUID) -> None:
    before = at(chain_id, 2).hash
    for seq in range(3, LENGTH + 1):
        event = at(chain_id, seq)
        event.status, event.prev_hash = 500, before
        event.hash = before = hash_of(event.hashed_values())
        event.save()
    assert verdict(chain_id) == (False, LENGTH - 1, LENGTH, Reason.HEAD_MISMATCH)


def test_an_event_after_the_head_is_noticed(chain_id: uuid.UUID) -> None:
    event = at(chain_id, LENGTH)
    event.pk, event.seq, event.prev_hash = None, LENGTH + 1, event.hash
    event.hash = hash_of(event.hashed_values())
    event.save(force_insert=True)
    assert verdict(chain_id) == (False, LENGTH, LENGTH + 1, Reason.BEYOND_HEAD)


def test_a_removed_head_is_noticed(chain_id: uuid.UUID) -> None:
    AuditChain.objects.filter(pk=chain_id).delete()
    assert verdict(chain_id) == (False, LENGTH, LENGTH + 1, Reason.HEAD_MISSING)


@pytest.mark.parametrize("head", [{"seq": 4}, {"hash": "f" * 64}, {"seq": 0, "hash": GENESIS}, {"seq": 99}])
def test_a_changed_head_is_noticed(chain_id: uuid.UUID, head: dict[str, object]) -> None:
    AuditChain.objects.filter(pk=chain_id).update(**head)
    assert verdict(chain_id)[0] is False


def test_the_latest_result_is_remembered(chain_id: uuid.UUID) -> None:
    found = verify_chain(chain_id)
    assert latest_verification(chain_id) is found
    assert latest_verification(uuid.uuid4()) is None


def test_missing_guards_are_named_and_can_be_put_back() -> None:
    assert missing_guards(connection) == []
    drop_guards(connection)
    assert "audit_event_no_update" in missing_guards(connection)
    create_guards(connection)
    assert missing_guards(connection) == []


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("audit", "verify", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_reports_whole_chains(chain_id: uuid.UUID) -> None:
    create_guards(connection)
    assert f"whole     {chain_id}  {LENGTH} events" in run()


def test_the_command_fails_and_names_the_first_bad_event(chain_id: uuid.UUID) -> None:
    at(chain_id, 2).delete()
    create_guards(connection)
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 1 chains broken"):
        call_command("audit", "verify", stdout=out)
    assert f"{chain_id}  first bad event: 2  reason: gap" in out.getvalue()


def test_the_command_fails_without_guards(chain_id: uuid.UUID) -> None:
    with pytest.raises(CommandError, match="7 guards missing"):
        run()


def test_the_command_verifies_one_tenant_by_id_or_code(
    chain_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_guards(connection)
    monkeypatch.setattr(naming, "_lookups", [])
    naming.register_tenant_lookup({"demo": chain_id}.get)
    assert str(chain_id) in run("--tenant", "demo")
    assert str(chain_id) in run("--tenant", str(chain_id))
    with pytest.raises(CommandError, match="no tenant"):
        run("--tenant", "nobody")
    with pytest.raises(CommandError, match="no tenant"):
        run("--tenant", str(uuid.uuid4()))
