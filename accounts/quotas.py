"""Hold organisations to the number of accounts that they are granted."""

from __future__ import annotations

from accounts.models import User
from accounts.organisation_errors import AccountsFull
from tenants.models import Tenant
from tenants.values import tenant_values


def require_room(tenant: Tenant | None) -> None:
    """Raise AccountsFull where an organisation may not have one more active account.

    In the transaction that adds it: others that add one wait until it is done.
    """
    limit = tenant_values(tenant.pk).number("quota_accounts") if tenant else 0
    if tenant is None or not limit:
        return
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    if User.objects.filter(tenant=tenant, is_active=True).count() >= limit:
        raise AccountsFull
