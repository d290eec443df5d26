"""Delete organisations for good, once their waiting period is over.

First its data keys are destroyed, with which whatever was sealed can be read no more, here and in every backup. Then
its rows go, batch by batch, each a transaction of its own; whatever ends the process in between, the next run goes on.
What stays is the audit chain, tombstones of the keys, the organisation's own row, so that its code is never given to
another one, and what KEPT says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID

from django.apps import apps
from django.db import models, transaction
from django.db.models import F

from accounts.live import end_tenant_sessions
from audit.services import record_event
from common import clock
from crypto.services import destroy_tenant_keys
from tenants.models import Tenant
from tenants.scope import tenant_scope

BATCH = 500
# Versions of the rules and who decided on them: the database itself refuses their deletion (policy.guards). What the
# rules say is sealed and gone with the keys.
KEPT = frozenset({"policy.RuleSetVersion", "policy.RuleSetDecision", "policy.TenantRule"})


def due_tenants() -> list[Tenant]:
    """Return the organisations whose waiting period is over and that are not gone yet."""
    due = Tenant.objects.filter(erase_due_at__lte=clock.now(), erased_at__isnull=True)
    return list(due.order_by("erase_due_at"))


def erase_tenant(tenant: Tenant, *, goes_on: Callable[[], bool] = lambda: True) -> bool:
    """Delete an organisation that is due; return whether it is gone, or `goes_on` has said that it is enough for now.

    Safe to repeat, and to begin anew after a crash. Raises ValueError for one that is not due.
    """
    _begin(tenant)
    with tenant_scope(tenant.pk):
        for model in models_of_tenants():
            while _erase_batch(tenant.pk, model):
                if not goes_on():
                    return False
    _finish(tenant.pk)
    return True


def models_of_tenants() -> list[type[models.Model]]:
    """Return every model whose rows belong to an organisation, those that refer to others before them.

    By what the models themselves say, so that none that comes later is forgotten.
    """
    ours = {model for model in apps.get_models() if _tenant_field(model) and model._meta.label not in KEPT}
    ordered: list[type[models.Model]] = []
    while ours:
        free = [model for model in ours if not any(model in _refers_to(other) for other in ours - {model})]
        if not free:
            raise RuntimeError("models refer to each other in a circle; say here which goes first")
        ordered += sorted(free, key=lambda model: model._meta.label)
        ours -= set(free)
    return ordered


def _begin(tenant: Tenant) -> None:
    """Make sure that it is due, note that it has begun, and destroy the keys."""
    with transaction.atomic():
        locked = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if locked.erased_at is not None or locked.erase_due_at is None or locked.erase_due_at > clock.now():
            raise ValueError("this organisation is not due to be deleted")
        if locked.erasing_since is None:
            total = sum(_count(tenant.pk))
            Tenant.objects.filter(pk=tenant.pk).update(
                erasing_since=clock.now(), erase_total=total, erase_done=0, is_active=False
            )
            _record(tenant.pk, status=202)
        destroy_tenant_keys(tenant.pk)
        end_tenant_sessions(tenant.pk)


def _finish(tenant_id: UUID) -> None:
    with transaction.atomic():
        if Tenant.objects.filter(pk=tenant_id, erased_at__isnull=True).update(erased_at=clock.now()):
            _record(tenant_id, status=200)


def _record(tenant_id: UUID, *, status: int) -> None:
    """Record it in the organisation's chain, whose pseudonyms nobody can make any more, and in the platform's."""
    for chain in (tenant_id, None):
        record_event(
            action="tenant.erase",
            tenant_id=chain,
            actor=None,
            object_type="tenant",
            object_id=str(tenant_id),
            status=status,
        )


def _count(tenant_id: UUID) -> Iterator[int]:
    with tenant_scope(tenant_id):
        for model in models_of_tenants():
            yield _rows(model, tenant_id).count()


def _erase_batch(tenant_id: UUID, model: type[models.Model]) -> int:
    """Delete some rows and count them towards the progress; return how many there were."""
    with transaction.atomic():
        rows = _rows(model, tenant_id).order_by("pk")
        # Rows that refer to others of their kind must go with them.
        keys = list(rows.values_list("pk", flat=True)[: None if model in _refers_to(model) else BATCH])
        if keys:
            _rows(model, tenant_id).filter(pk__in=keys).delete()
            Tenant.objects.filter(pk=tenant_id).update(erase_done=F("erase_done") + len(keys))
        return len(keys)


def _rows(model: type[models.Model], tenant_id: UUID) -> models.QuerySet[models.Model]:
    return model._default_manager.filter(**{_tenant_field(model): tenant_id})


def _tenant_field(model: type[models.Model]) -> str:
    """Return the name of the field that says whose a row is, or ""."""
    for field in model._meta.fields:
        if field.remote_field is not None and field.remote_field.model is Tenant:
            return field.name
    return ""


def _refers_to(model: type[models.Model]) -> set[object]:
    """Return the models that this one's foreign keys lead to."""
    return {field.remote_field.model for field in model._meta.fields if field.remote_field is not None}
