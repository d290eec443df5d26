"""Store organisations, and give their data a base class."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common import clock
from tenants.managers import ScopedManager, check_tenant
from tenants.scope import TenantScopeMissing

CODE_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z"

# Shares of the engine, against 1 of an ordinary organisation.
LEAST_WEIGHT, GREATEST_WEIGHT = 0.1, 100.0
REASON_CHARS = 400


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
    # Deletion: asked for, due after a waiting period, begun, done. The row stays, so that its code is never another's.
    erase_asked_at = models.DateTimeField(null=True, editable=False)
    erase_due_at = models.DateTimeField(null=True, editable=False)
    erasing_since = models.DateTimeField(null=True, editable=False)
    erased_at = models.DateTimeField(null=True, editable=False)
    erase_total = models.PositiveIntegerField(default=0, editable=False)
    erase_done = models.PositiveIntegerField(default=0, editable=False)

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


class ChangeState(models.TextChoices):
    """How far a change of a parameter has come."""

    PROPOSED = "proposed", _("Waits for a second person")
    APPLIED = "applied", _("In force")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    STALE = "stale", _("Overtaken by another change")


class ParameterChange(models.Model):
    """One change of a system parameter: old, new, why, by whom. Never deleted; the newest in force is the value.

    `base` is the number of the change that it builds on, 0 for the initial value; `number` is its own, once in force.
    Where a second person is needed, it is in force only if somebody else has decided so.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=40)
    old = models.CharField(max_length=40)
    new = models.CharField(max_length=40)
    reason = models.CharField(max_length=REASON_CHARS)
    needs_second = models.BooleanField()
    state = models.CharField(max_length=12, choices=ChangeState.choices)
    base = models.PositiveIntegerField()
    number = models.PositiveIntegerField(null=True)
    proposed_by = models.UUIDField()
    proposed_at = models.DateTimeField(default=clock.now, editable=False)
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=REASON_CHARS, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.code} {self.old} → {self.new}"


def _second_person_decided() -> Q:
    decided = Q(decided_by__isnull=False) & ~Q(decided_by=models.F("proposed_by"))
    return ~Q(state=ChangeState.APPLIED) | Q(needs_second=False) | decided


class TenantParameterChange(TenantModel, ParameterChange):
    """A change of an organisation's parameter."""

    class Meta(TenantModel.Meta):
        abstract = False
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "code", "number"), name="tenant_parameter_one_change_each"
            ),
            models.UniqueConstraint(
                fields=("tenant", "code"),
                condition=Q(state=ChangeState.PROPOSED),
                name="tenant_parameter_one_proposal",
            ),
            models.CheckConstraint(condition=_second_person_decided(), name="tenant_parameter_second_person"),
        )


class InstallationParameterChange(ParameterChange):
    """A change of a parameter that holds for the whole installation."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("code", "number"), name="installation_parameter_one_change_each"),
            models.UniqueConstraint(
                fields=("code",),
                condition=Q(state=ChangeState.PROPOSED),
                name="installation_parameter_one_proposal",
            ),
            models.CheckConstraint(
                condition=_second_person_decided(), name="installation_parameter_second_person"
            ),
        )


class QuotaUse(TenantModel):
    """What an organisation has used of its daily quotas, on one day of the installation's time zone.

    Counted only while the organisation has such a quota.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    day = models.DateField()
    turns = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        abstract = False
        constraints = (models.UniqueConstraint(fields=("tenant", "day"), name="quota_use_one_row_a_day"),)

    def __str__(self) -> str:
        return f"{self.day}: {self.turns} turns"
