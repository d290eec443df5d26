"""Delete conversations that an organisation keeps no longer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from audit.services import record_event
from chat.models import Conversation
from common import clock
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.values import tenant_values

BATCH = 200


@dataclass(frozen=True, slots=True)
class Purged:
    """A conversation that is gone."""

    conversation: UUID
    owner: UUID


def purge_expired() -> Iterator[Purged]:
    """Delete, in every organisation that sets a time, the conversations in which nothing was said for longer.

    Yields each once it is gone. Batch by batch, each a transaction with its event; safe to repeat.
    """
    for tenant_id in Tenant.objects.filter(erased_at__isnull=True).values_list("pk", flat=True):
        with tenant_scope(tenant_id):
            days = tenant_values(tenant_id).number("retention_days")
            while days and (purged := _purge_batch(tenant_id, days=days)):
                yield from purged


@transaction.atomic
def _purge_batch(tenant_id: UUID, *, days: int) -> list[Purged]:
    before = clock.now() - timedelta(days=days)
    expired = Conversation.objects.filter(updated_at__lt=before).order_by("updated_at")
    purged = [Purged(*row) for row in expired.values_list("pk", "owner_id")[:BATCH]]
    if purged:
        Conversation.objects.filter(pk__in=[row.conversation for row in purged]).delete()
        record_event(
            action="conv.purge",
            tenant_id=tenant_id,
            actor=None,
            object_type="limit",
            object_id="retention_days",
        )
    return purged
