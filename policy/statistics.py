"""Count what each rule did, from the audit log alone: no text, nobody's name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Max, Q

from audit.models import EPOCH, MICROSECOND, AuditEvent, to_microseconds
from common import clock

BLOCKS = ("policy.block_input", "policy.block_output")
HITS = (*BLOCKS, "policy.redact", "policy.flag", "consent.sensitive")
DAYS = 30


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """What a rule did: `hits` counts turns, `blocks` those of them that it stopped or withdrew."""

    code: str
    hits: int
    blocks: int
    last_hit: datetime


def rule_statistics(tenant_id: UUID, *, days: int = DAYS) -> dict[str, RuleFigures]:
    """Return the figures of the last days by rule code; rules that matched nothing have none."""
    rows = (
        AuditEvent.objects.filter(
            tenant_id=tenant_id,
            action__in=HITS,
            object_type="rule",
            at_us__gte=to_microseconds(clock.now() - timedelta(days=days)),
        )
        .values("object_id")
        .annotate(hits=Count("seq"), blocks=Count("seq", filter=Q(action__in=BLOCKS)), last=Max("at_us"))
    )
    return {
        row["object_id"]: RuleFigures(
            row["object_id"], row["hits"], row["blocks"], EPOCH + row["last"] * MICROSECOND
        )
        for row in rows
    }
