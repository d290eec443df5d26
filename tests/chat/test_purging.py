"""Conversations go when their organisation keeps them no longer, and no others."""

from __future__ import annotations

from datetime import timedelta

from accounts.parameters import Wanted, approve, set_parameters
from audit.models import AuditEvent
from chat.models import Conversation
from chat.purging import purge_expired
from common import clock
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.tenants.support import tenant_of


def converse(cast: Cast, *, days_ago: int, outside: bool = False) -> Conversation:
    person = cast.outsider if outside else cast.member
    at = clock.now() - timedelta(days=days_ago)
    with tenant_scope(tenant_of(person)):
        made: Conversation = Conversation.objects.create(
            tenant=person.tenant, owner=person, title="A heron", updated_at=at
        )
    return made


def keep_for(cast: Cast, days: int) -> None:
    wanted = {"retention_days": Wanted(str(days), 0)}
    change = set_parameters(wanted, reason="as agreed", by=cast.admin, tenant=cast.admin.tenant)[0]
    approve(change.pk, by=cast.officer, tenant=cast.admin.tenant)


def test_what_is_older_goes_and_what_is_not_or_is_anothers_stays(cast: Cast) -> None:
    keep_for(cast, 30)
    old, young = converse(cast, days_ago=31), converse(cast, days_ago=29)
    converse(cast, days_ago=400, outside=True)
    assert [(purged.conversation, purged.owner) for purged in purge_expired()] == [(old.pk, cast.member.pk)]
    with tenant_scope(tenant_of(cast.member)):
        assert list(Conversation.objects.values_list("pk", flat=True)) == [young.pk]
    events = AuditEvent.objects.filter(tenant_id=tenant_of(cast.member), action="conv.purge")
    assert [event.object_id for event in events] == ["retention_days"]
    assert list(purge_expired()) == []


def test_without_a_time_everything_stays(cast: Cast) -> None:
    converse(cast, days_ago=4000)
    assert list(purge_expired()) == []


def test_a_time_that_nobody_has_approved_yet_deletes_nothing(cast: Cast) -> None:
    converse(cast, days_ago=31)
    set_parameters(
        {"retention_days": Wanted("30", 0)}, reason="as agreed", by=cast.admin, tenant=cast.admin.tenant
    )
    assert list(purge_expired()) == []
