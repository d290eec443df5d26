"""Give models a manager that sees one tenant, and nothing at all without one.

Building a query outside a scope is allowed (Django does so while it imports); running, refining or writing through it
raises. A plain filter in `get_queryset` would not do: it leaks in async iteration and through cloned queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

from django.db import models
from django.db.models import sql

from tenants.scope import TenantScopeMissing, scoped_tenant_id

M = TypeVar("M", bound=models.Model)


class DeniedQuery(sql.Query):
    """A query built outside a tenant scope; every way of using it raises TenantScopeMissing."""

    def _deny(self) -> NoReturn:
        label = self.model._meta.label if self.model else "query"
        raise TenantScopeMissing(f"{label} was queried outside a tenant scope")

    def get_compiler(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse to become SQL."""
        self._deny()

    def chain(self, klass: Any = None) -> Any:
        """Stay denied when cloned; refuse to turn into an update, delete or aggregate."""
        return self._deny() if klass is not None else super().chain()

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse to become another query's subquery."""
        self._deny()

    def combine(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse to take in another query."""
        self._deny()


class ScopedQuerySet(models.QuerySet[M]):
    """A query set whose bulk writes check the tenant of every row."""

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        """Insert rows of the scope's tenant only; on a conflict of keys they never overwrite, for the other row may be
        another tenant's."""
        if kwargs.get("update_conflicts") or len(args) > 2:
            raise TenantScopeMissing(f"{self.model._meta.label} cannot be overwritten by an insert")
        rows = list(objs)
        for row in rows:
            check_tenant(row)
        return super().bulk_create(rows, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        """Change rows, never their tenant, nor so that they lead to a row of another one."""
        if {"tenant", "tenant_id"} & kwargs.keys():
            raise TenantScopeMissing(f"{self.model._meta.label} cannot move to another tenant")
        for value in kwargs.values():
            if isinstance(value, models.Model):
                _require_same_tenant(value, led_to_by=self.model)
        return super().update(**kwargs)

    update.alters_data = True  # type: ignore[attr-defined]

    def __and__(self, other: Any) -> Any:
        """Return the rows in both; neither side may be denied."""
        return super().__and__(_not_denied(self, other))

    def __or__(self, other: Any) -> Any:
        """Return the rows in either; a denied side has no condition, and with it this would be every tenant's rows."""
        return super().__or__(_not_denied(self, other))

    def __xor__(self, other: Any) -> Any:
        """Return the rows in just one; neither side may be denied."""
        return super().__xor__(_not_denied(self, other))

    def raw(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse raw SQL, which no scope can narrow."""
        raise TenantScopeMissing(f"{self.model._meta.label} cannot be queried with raw SQL")

    def _raw_delete(self, using: str | None) -> int:
        if isinstance(self.query, DeniedQuery):
            self.query._deny()
        return super()._raw_delete(using)

    _raw_delete.alters_data = True  # type: ignore[attr-defined]


class ScopedManager(models.Manager[M]):
    """The only manager of a tenant's data: rows of the scope's tenant, or an exception."""

    def get_queryset(self) -> ScopedQuerySet[M]:
        """Return the scope's rows; outside a scope a query set that raises when used."""
        tenant_id = scoped_tenant_id()
        if tenant_id is None:
            return ScopedQuerySet(self.model, query=DeniedQuery(self.model), using=self._db)
        return ScopedQuerySet(self.model, using=self._db).filter(tenant_id=tenant_id)

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        """Insert rows of the scope's tenant only."""
        return self.get_queryset().bulk_create(objs, *args, **kwargs)

    def raw(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse raw SQL."""
        self.get_queryset().raw()


def _not_denied(one: Any, other: Any) -> Any:
    """Return `other`; raise TenantScopeMissing where either was built outside a scope."""
    for side in (one, other):
        query = getattr(side, "query", None)
        if isinstance(query, DeniedQuery):
            query._deny()
    return other


def check_tenant(row: models.Model) -> None:
    """Raise TenantScopeMissing unless `row` belongs to the scope's tenant, and leads to nobody else's rows.

    A foreign key is followed by joins that no scope narrows again, so a row that led across would show the other
    side's. What is looked at are rows in hand; one that is named by its key alone costs a query, and is not.
    """
    tenant_id = scoped_tenant_id()
    if tenant_id is None or getattr(row, "tenant_id", None) != tenant_id:
        raise TenantScopeMissing(f"{row._meta.label} was written outside the scope of its tenant")
    field: Any
    for field in row._meta.concrete_fields:
        if field.is_relation and field.is_cached(row):
            _require_same_tenant(getattr(row, field.name), led_to_by=type(row))


def _require_same_tenant(other: Any, *, led_to_by: type[models.Model]) -> None:
    """Raise TenantScopeMissing for a row of another tenant than the scope's; what has no tenant belongs to all."""
    if getattr(other, "tenant_id", None) not in (None, scoped_tenant_id()):
        raise TenantScopeMissing(
            f"{led_to_by._meta.label} cannot lead to another tenant's {type(other).__name__}"
        )
