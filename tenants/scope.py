"""Hold the tenant in whose name the current task works.

Fails closed: a query on a tenant's data outside a scope raises; it never means "all rows". The scope is a context
variable, so it follows `await` and `sync_to_async`, and not a bare executor thread, where queries then raise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

_tenant: ContextVar[UUID | None] = ContextVar("tenant", default=None)


class TenantScopeMissing(RuntimeError):
    """Tenant data was touched outside the scope of its tenant: a mistake in the program, never a person's."""


@contextmanager
def tenant_scope(tenant_id: UUID) -> Iterator[None]:
    """Work in the name of one tenant until the block ends; scopes nest."""
    token = _tenant.set(tenant_id)
    try:
        yield
    finally:
        _tenant.reset(token)


def current_tenant_id() -> UUID:
    """Return the tenant of the scope. Raises TenantScopeMissing outside one."""
    tenant_id = _tenant.get()
    if tenant_id is None:
        raise TenantScopeMissing("no tenant scope is open")
    return tenant_id


def scoped_tenant_id() -> UUID | None:
    """Return the tenant of the scope, or None outside one; for the guards, which then refuse."""
    return _tenant.get()
