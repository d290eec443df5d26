"""Suspend organisations, let them in again, set what operators set, and lead them to deletion and back.

Acts of operators, each one transaction with its event in the organisation's own chain; a refusal is recorded outside
it. Acts on one organisation wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import F

from accounts.acting import recorded
from accounts.live import end_tenant_sessions
from accounts.models import User
from accounts.names import plain_name
from accounts.organisation_errors import ErasureBegun, NameDiffers
from accounts.roles import TENANT_MANAGE
from common import clock
from common.access import PermissionMissing
from tenants.models import Tenant
from tenants.values import installation_values


def suspend_tenant(tenant: Tenant, *, by: User) -> None:
    """Shut everybody of an organisation out; sessions, sockets and running turns end, and do not come back.

    Raises PermissionMissing. One that is suspended already stays so.
    """
    with _act("tenant.suspend", tenant, by=by) as locked:
        _shut_out(locked)


def resume_tenant(tenant: Tenant, *, by: User) -> None:
    """Let an organisation's people sign in again.

    Raises PermissionMissing, and ErasureBegun while it is to be deleted.
    """
    with _act("tenant.resume", tenant, by=by) as locked:
        if locked.erase_due_at is not None:
            raise ErasureBegun
        Tenant.objects.filter(pk=locked.pk).update(is_active=True)


def set_tenant(tenant: Tenant, *, name: str, engine_weight: float, by: User) -> None:
    """Set an organisation's name and share of the engine. Raises PermissionMissing and ValidationError."""
    with _act("tenant.edit", tenant, by=by) as locked:
        locked.name, locked.engine_weight = plain_name(name), engine_weight
        locked.full_clean()
        locked.save(update_fields=["name", "engine_weight"])


def ask_deletion(tenant: Tenant, *, typed: str, by: User) -> None:
    """Suspend an organisation at once, and have it deleted for good after the waiting period.

    `typed` is its name, which the person has typed. A second time changes nothing, the day of deletion neither.
    Raises PermissionMissing and NameDiffers.
    """
    with _act("tenant.delete", tenant, by=by) as locked:
        if typed.strip() != locked.name:
            raise NameDiffers
        _shut_out(locked)
        if locked.erase_due_at is None:
            now = clock.now()
            due = now + timedelta(days=installation_values().number("deletion_days"))
            Tenant.objects.filter(pk=locked.pk).update(erase_asked_at=now, erase_due_at=due)


def keep_tenant(tenant: Tenant, *, by: User) -> None:
    """Take a deletion back while its waiting period lasts; the organisation stays suspended.

    Raises PermissionMissing, and ErasureBegun once something may be gone.
    """
    with _act("tenant.keep", tenant, by=by) as locked:
        if locked.erasing_since is not None:
            raise ErasureBegun
        Tenant.objects.filter(pk=locked.pk).update(erase_asked_at=None, erase_due_at=None)


@contextmanager
def _act(action: str, tenant: Tenant, *, by: User) -> Iterator[Tenant]:
    """Lock the organisation and make sure, now that it is our turn, that the person may still do this."""
    named = tenant.pk if by.tenant_id in (None, tenant.pk) else None
    with recorded(action, by=by.pk, chain=by.tenant_id or tenant.pk, object_type="tenant", object_id=named):
        locked = Tenant.objects.select_for_update().get(pk=tenant.pk)
        acting = User.objects.filter(pk=by.pk).first()
        if acting is None or not acting.has_permission(TENANT_MANAGE):
            raise PermissionMissing(TENANT_MANAGE)
        if locked.erased_at is not None:
            raise ErasureBegun
        yield locked


def _shut_out(tenant: Tenant) -> None:
    if not tenant.is_active:
        return
    Tenant.objects.filter(pk=tenant.pk).update(is_active=False)
    User.objects.filter(tenant=tenant).update(session_epoch=F("session_epoch") + 1)
    end_tenant_sessions(tenant.pk)
