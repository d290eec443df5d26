"""Do each act on a rule set in one transaction with its audit event; a refusal is recorded outside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import transaction

from accounts.models import User
from audit.models import Outcome
from audit.services import record_event
from common.access import PermissionMissing
from common.errors import NotFound
from policy.errors import PolicyActRefused
from policy.models import RuleSetVersion
from tenants.scope import current_tenant_id

MAX_REASON_CHARS = 2000


@contextmanager
def act(
    action: str, *, by: User, permission: str, object_type: str = "ruleset", object_id: str = "draft"
) -> Iterator[None]:
    """Do an act in the scope's organisation. Raises PermissionMissing; NotFound for another organisation's person."""
    tenant_id = current_tenant_id()
    record = partial(
        record_event,
        action=action,
        tenant_id=tenant_id,
        actor=by.id,
        object_type=object_type,
        object_id=object_id,
    )
    try:
        with transaction.atomic():
            require(by, permission)
            yield
            record()
    except (PolicyActRefused, NotFound) as error:
        record(outcome=Outcome.REFUSED, status=error.http_status)
        raise


def require(by: User, permission: str) -> None:
    """Raise NotFound for a person of another organisation, PermissionMissing without the permission."""
    if by.tenant_id != current_tenant_id():
        raise NotFound
    if not by.has_permission(permission):
        raise PermissionMissing(permission)


def locked(version: RuleSetVersion) -> RuleSetVersion:
    """Return the row as it is now, locked until the transaction ends. Raises NotFound where it is not the scope's."""
    row: RuleSetVersion | None = RuleSetVersion.objects.select_for_update().filter(pk=version.pk).first()
    if row is None:
        raise NotFound
    return row
