"""Store organisations, and give their data a base class."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from common import clock
from tenants.managers import ScopedManager, check_tenant
from tenants.scope import TenantScopeMissing

CODE_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z"

# Shares of the engine, against 1 of an ordinary organisation.
LEAST_WEIGHT, GREATEST_WEIGHT = 0.1, 100.0


class Tenant(models.Model):
    """An organisation: the boundary of isolation.

    `code` is what its people type when they sign in; it is part of their handles and never changes. `engine_weight` is
    its share of the engine where several wait.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=32, unique=True, validators=[RegexValidator(CODE_PATTERN)])
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    three_admin_separation = models.BooleanField(default=True)
    engine_weight = models.FloatField(
        default=1.0, validators=[MinValueValidator(LEAST_WEIGHT), MaxValueValidator(GREATEST_WEIGHT)]
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code


class TenantModel(models.Model):
    """A row that belongs to one tenant and is only reachable inside that tenant's scope.

    The scoped manager is the base manager too, so that following a foreign key is held by the same guard.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")

    objects: ClassVar[ScopedManager[Any]] = ScopedManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        default_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row. Raises TenantScopeMissing outside the scope of its tenant."""
        check_tenant(self)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the row. Raises TenantScopeMissing outside the scope of its tenant.

        Django deletes a row in hand by its key alone, so what is written on the row is not proof enough.
        """
        check_tenant(self)
        if not type(self).objects.filter(pk=self.pk).exists():
            raise TenantScopeMissing(f"{self._meta.label} has no such row in the scope's tenant")
        return super().delete(*args, **kwargs)
