"""Change organisations."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from audit.services import record_event
from tenants.models import Tenant


@transaction.atomic
def create_tenant(*, code: str, name: str, actor: UUID | None = None) -> Tenant:
    """Create an organisation and record it; `actor` is the operator, None at the terminal.

    Raises ValidationError for a malformed or taken code.
    """
    tenant = Tenant(code=code, name=name)
    tenant.full_clean()
    tenant.save(force_insert=True)
    record_event(
        action="tenant.create",
        tenant_id=tenant.id,
        actor=actor,
        object_type="tenant",
        object_id=str(tenant.id),
    )
    return tenant


@transaction.atomic
def set_engine_weight(tenant: Tenant, *, weight: float) -> None:
    """Set an organisation's share of the engine and record it. Raises ValidationError for one out of range."""
    tenant.engine_weight = weight
    tenant.full_clean()
    tenant.save(update_fields=["engine_weight"])
    record_event(
        action="tenant.weight",
        tenant_id=tenant.id,
        actor=None,
        object_type="tenant",
        object_id=str(tenant.id),
    )


def find_tenant_id(code: str) -> UUID | None:
    """Return the organisation that people name by this code, or None."""
    return Tenant.objects.filter(code=code).values_list("id", flat=True).first()
