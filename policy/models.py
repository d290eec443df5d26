"""Store what organisations change about the rules: versions of their layer over the installation's base.

A version is written as a draft and never changes once it was published; the database itself holds that (see
policy.guards). People stand here as account ids without foreign keys: a deleted account takes nothing with it.
"""

from __future__ import annotations

import base64
import json
import uuid
import zlib
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common import clock
from crypto.fields import SealedTextField
from crypto.scope import CryptoScope
from policy.errors import VersionFixed
from policy.layers import LayerRule
from tenants.models import TenantModel


class Status(models.TextChoices):
    """How far a version has come; docs/policy.md has the picture."""

    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Awaiting approval")
    APPROVED = "approved", _("Approved")
    PUBLISHED = "published", _("Published")
    DISCARDED = "discarded", _("Discarded")


TRANSITIONS: dict[str, frozenset[str]] = {
    Status.DRAFT: frozenset({Status.SUBMITTED, Status.DISCARDED}),
    Status.SUBMITTED: frozenset({Status.APPROVED, Status.DRAFT}),
    Status.APPROVED: frozenset({Status.PUBLISHED, Status.DRAFT}),
    Status.PUBLISHED: frozenset(),
    Status.DISCARDED: frozenset(),
}
OPEN = (Status.DRAFT, Status.SUBMITTED, Status.APPROVED)


class Decision(models.TextChoices):
    """What was decided on a version.

    ALONE stands for a second person where there is none, RESTORE for the one who approved the version that comes back.
    """

    APPROVE = "approve", _("Approved")
    REJECT = "reject", _("Rejected")
    ALONE = "alone", _("Approved alone")
    RESTORE = "restore", _("Approved before")


class RuleSetVersion(TenantModel):
    """An organisation's layer of rules, in one of its states.

    `number` counts what was published, from 1. `based_on` is the version that was in force when it was begun or
    submitted, `restores` the one that a rollback brings back. `editors` are all who wrote on it; `figures` are those
    of the last dry run, and none of an earlier text.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(null=True, editable=False)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    based_on = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    restores = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    editors = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    changed_at = models.DateTimeField(default=clock.now)
    figures = models.JSONField(null=True)
    tried_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True, default="")
    submitted_by = models.UUIDField(null=True)
    submitted_at = models.DateTimeField(null=True)
    published_by = models.UUIDField(null=True)
    published_at = models.DateTimeField(null=True)

    _is_fixed = False

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(fields=("tenant", "number"), name="one_rule_set_per_number"),
            models.UniqueConstraint(
                fields=("tenant",),
                condition=Q(status__in=OPEN, restores__isnull=True),
                name="one_open_draft_per_tenant",
            ),
            models.UniqueConstraint(
                fields=("tenant",),
                condition=Q(status__in=OPEN, restores__isnull=False),
                name="one_open_rollback_per_tenant",
            ),
        )

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """Return what people call it, and the audit log: v3, or draft."""
        return f"v{self.number}" if self.number else "draft"

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> RuleSetVersion:
        """Remember whether the row is published already."""
        row = super().from_db(*args, **kwargs)
        row._is_fixed = row.__dict__.get("status") in (Status.PUBLISHED, Status.DISCARDED)
        return row

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row. Raises VersionFixed for one that was published or discarded."""
        if self._is_fixed:
            raise VersionFixed
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse: versions are discarded, not deleted."""
        raise VersionFixed


class TenantRule(TenantModel):
    """One entry of a version, sealed: words and patterns tell what an organisation fears, and whom it protects.

    A list of any length is one row; it is compressed before it is sealed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(RuleSetVersion, on_delete=models.PROTECT, related_name="rules")
    code = models.CharField(max_length=32)
    position = models.PositiveIntegerField()
    body = SealedTextField()

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("position",)
        constraints = (models.UniqueConstraint(fields=("version", "code"), name="one_rule_per_code"),)

    def __str__(self) -> str:
        return self.code

    def crypto_scope(self) -> CryptoScope:
        """Bind the rule to its tenant and version."""
        return CryptoScope(tenant_id=self.tenant_id, container_id=self.version_id)

    def read(self) -> LayerRule:
        """Return the entry. Raises SealBroken, KeyDestroyed, KeyUnavailable."""
        return LayerRule(self.code, json.loads(zlib.decompress(base64.b64decode(self.body))))

    @classmethod
    def pack(cls, rule: LayerRule) -> str:
        """Return the text of `body`."""
        return base64.b64encode(zlib.compress(json.dumps(rule.row, ensure_ascii=False).encode())).decode()


class RuleSetDecision(TenantModel):
    """One decision on a version; written once."""

    version = models.ForeignKey(RuleSetVersion, on_delete=models.PROTECT, related_name="decisions")
    account_id = models.UUIDField()
    decision = models.CharField(max_length=8, choices=Decision.choices)
    reason = models.TextField(blank=True, default="")
    at = models.DateTimeField(default=clock.now)

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.decision} of {self.version_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row. Raises VersionFixed for one that is there already."""
        if not self._state.adding:
            raise VersionFixed
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise VersionFixed
