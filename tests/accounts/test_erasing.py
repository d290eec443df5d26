"""An organisation that is deleted is gone, with its keys; another one is untouched, and the log stays whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps

from accounts.erasing import KEPT, _tenant_field, due_tenants, erase_tenant, models_of_tenants
from accounts.models import User
from accounts.organisations import ask_deletion, keep_tenant
from audit.models import AuditEvent
from audit.verification import verify_chain
from chat.models import Conversation
from common import clock
from consent.services import accept_notice, read_current_notice
from crypto.errors import KeyDestroyed
from crypto.keyring import keyring
from crypto.models import DataKey, Usage
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.tenants.support import tenant_of


def fill(cast: Cast) -> None:
    """Let both organisations have something of their own."""
    for person in (cast.member, cast.outsider):
        with tenant_scope(tenant_of(person)):
            accept_notice(person, notice=read_current_notice(language="en"), ip=None)
            for _ in range(3):
                Conversation.objects.create(tenant=person.tenant, owner=person, title="A heron")


def due(cast: Cast) -> Tenant:
    assert cast.admin.tenant is not None
    ask_deletion(cast.admin.tenant, typed="North Bank", by=cast.operator)
    Tenant.objects.filter(pk=tenant_of(cast.admin)).update(erase_due_at=clock.now() - timedelta(seconds=1))
    return Tenant.objects.get(pk=tenant_of(cast.admin))


def rows_left(tenant: Tenant) -> dict[str, int]:
    with tenant_scope(tenant.pk):
        counts = {
            model._meta.label: model._default_manager.filter(**{_tenant_field(model): tenant.pk}).count()
            for model in apps.get_models()
            if _tenant_field(model)
        }
    return {label: count for label, count in counts.items() if count}


def test_nothing_of_it_is_left_but_what_is_said_to_stay(cast: Cast) -> None:
    fill(cast)
    tenant = due(cast)
    assert [each.pk for each in due_tenants()] == [tenant.pk]
    assert erase_tenant(tenant)
    assert set(rows_left(tenant)) <= KEPT
    gone = Tenant.objects.get(pk=tenant.pk)
    assert gone.erased_at is not None
    assert gone.erase_done == gone.erase_total > 0
    assert due_tenants() == []


def test_another_organisation_keeps_everything(cast: Cast) -> None:
    fill(cast)
    south = Tenant.objects.get(pk=tenant_of(cast.outsider))
    before = rows_left(south)
    erase_tenant(due(cast))
    assert rows_left(south) == before
    keyring.forget()
    with tenant_scope(south.pk):
        assert Conversation.objects.first().title == "A heron"  # type: ignore[union-attr]
    assert User.objects.filter(pk=cast.operator.pk).exists()


def test_its_keys_are_destroyed_and_none_is_made_in_their_place(cast: Cast) -> None:
    tenant = due(cast)
    erase_tenant(tenant)
    assert not DataKey.objects.filter(tenant_id=tenant.pk, wrapped__isnull=False).exists()
    for usage in Usage:
        with pytest.raises(KeyDestroyed):
            keyring.key_in_use(tenant.pk, usage)


def test_the_log_stays_and_verifies_and_says_when(cast: Cast) -> None:
    tenant = due(cast)
    before = AuditEvent.objects.filter(tenant_id=tenant.pk).count()
    erase_tenant(tenant)
    events = AuditEvent.objects.filter(tenant_id=tenant.pk).order_by("seq")
    assert events.count() == before + 2
    assert [event.status for event in events.filter(action="tenant.erase")] == [202, 200]
    assert AuditEvent.objects.filter(action="tenant.erase", object_id=str(tenant.pk)).count() == 4
    assert verify_chain(tenant.pk).ok


def test_ended_in_between_it_goes_on_where_it_was(cast: Cast) -> None:
    fill(cast)
    tenant = due(cast)
    assert not erase_tenant(tenant, goes_on=lambda: False)
    half = Tenant.objects.get(pk=tenant.pk)
    assert half.erasing_since is not None
    assert 0 < half.erase_done < half.erase_total
    assert due_tenants() == [half]
    assert erase_tenant(half)
    assert set(rows_left(tenant)) <= KEPT
    assert AuditEvent.objects.filter(tenant_id=tenant.pk, action="tenant.erase", status=202).count() == 1


def test_nothing_is_deleted_before_its_time_or_after_it_was_taken_back(cast: Cast) -> None:
    assert cast.admin.tenant is not None
    with pytest.raises(ValueError, match="not due"):
        erase_tenant(cast.admin.tenant)
    ask_deletion(cast.admin.tenant, typed="North Bank", by=cast.operator)
    with pytest.raises(ValueError, match="not due"):
        erase_tenant(cast.admin.tenant)
    keep_tenant(due(cast), by=cast.operator)
    with pytest.raises(ValueError, match="not due"):
        erase_tenant(cast.admin.tenant)
    assert User.objects.filter(pk=cast.admin.pk).exists()


def test_its_code_is_never_given_again(cast: Cast) -> None:
    erase_tenant(due(cast))
    assert Tenant.objects.filter(code="north").exists()


def test_what_refers_to_others_goes_before_them() -> None:
    labels = [model._meta.label for model in models_of_tenants()]
    assert labels.index("chat.Message") < labels.index("chat.Conversation") < labels.index("accounts.User")
