"""Store events and the head of each chain.

Events hold no content and refer to nothing that could be deleted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.chain import GENESIS, HASHED_FIELDS, Value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Outcome(models.TextChoices):
    """How an act ended: done, not allowed, or broken."""

    OK = "ok", _("Done")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class AuditEvent(models.Model):
    """One act, in the past. Inserted only by audit.services.record_event, never changed, never deleted.

    `tenant_id` names the chain; the nil UUID is the platform's own. `at_us` is UTC in microseconds since
    1970: a whole number, so that every database gives back exactly what was hashed.
    """

    tenant_id = models.UUIDField()
    seq = models.BigIntegerField()
    at_us = models.BigIntegerField()
    actor = models.CharField(max_length=24)
    action = models.CharField(max_length=40)
    object_type = models.CharField(max_length=32)
    object_id = models.CharField(max_length=80)
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    status = models.PositiveSmallIntegerField()
    duration_ms = models.PositiveIntegerField(null=True)
    ip = models.CharField(max_length=48)
    model_digest = models.CharField(max_length=72)
    policy_version = models.CharField(max_length=40)
    first_token_ms = models.PositiveIntegerField(null=True)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant_id", "seq"), name="audit_one_event_per_place"),
        )
        indexes = (
            models.Index(fields=("tenant_id", "at_us"), name="audit_by_time"),
            models.Index(fields=("tenant_id", "action", "seq"), name="audit_by_action"),
        )

    def __str__(self) -> str:
        return f"audit event {self.tenant_id} #{self.seq}"

    @property
    def at(self) -> datetime:
        """Return when it happened, aware, in UTC."""
        return EPOCH + self.at_us * MICROSECOND

    def hashed_values(self) -> list[Value]:
        """Return the values in the order in which they are hashed."""
        return [str(self.tenant_id), *(getattr(self, name) for name in HASHED_FIELDS[1:])]


class AuditChain(models.Model):
    """The head of one tenant's chain: how many events there are, and the hash of the last one.

    Writers lock this row, so that no two events take the same place. The database itself moves it when an
    event is inserted (see audit.guards), and only one event forward.
    """

    tenant_id = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=GENESIS)

    def __str__(self) -> str:
        return f"audit chain {self.tenant_id}"


def to_microseconds(moment: datetime) -> int:
    """Return an aware time as whole microseconds since 1970, UTC."""
    return (moment - EPOCH) // MICROSECOND
