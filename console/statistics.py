"""Count, from the audit log alone, what administrators may know: how much, how fast, how often refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise

from audit.actions import label_of
from audit.models import AuditEvent, to_microseconds

REQUESTS = ("chat.request", "chat.regenerate", "chat.edit")
REFUSALS = ("policy.block_input", "policy.block_output", "ratelimit.reject", "queue.reject", "queue.timeout")
DAYS = 7


@dataclass(frozen=True, slots=True)
class Day:
    """One day of an organisation, in the portal's time zone; the median is over answers that began, in ms."""

    date: date
    requests: int
    members: int
    refusals: int
    first_token_p50_ms: int | None


@dataclass(frozen=True, slots=True)
class Refusals:
    """How often something was refused today."""

    label: str | Promise
    count: int


def last_days(tenant_id: UUID) -> list[Day]:
    """Return the last seven days, today first."""
    return [_day(tenant_id, day) for day in _days()]


def refusals_today(tenant_id: UUID) -> list[Refusals]:
    """Return today's refusals by kind, the most frequent first."""
    rows = _events(tenant_id, timezone.localdate()).filter(action__in=REFUSALS)
    counts = rows.order_by().values_list("action").annotate(count=Count("pk")).order_by("-count")
    return [Refusals(label_of(action), count) for action, count in counts]


def rule_hits_today(tenant_id: UUID) -> Counter[str]:
    """Return how often each rule decided today, by its code."""
    rows = _events(tenant_id, timezone.localdate()).filter(object_type="rule")
    return Counter(dict(rows.order_by().values_list("object_id").annotate(count=Count("pk"))))


def _days() -> Iterator[date]:
    today = timezone.localdate()
    return (today - timedelta(days=back) for back in range(DAYS))


def _day(tenant_id: UUID, day: date) -> Day:
    events = _events(tenant_id, day)
    counts = events.aggregate(
        requests=Count("pk", filter=Q(action__in=REQUESTS)),
        members=Count("actor", filter=Q(action__in=REQUESTS), distinct=True),
        refusals=Count("pk", filter=Q(action__in=REFUSALS)),
    )
    return Day(date=day, first_token_p50_ms=_median_first_token(events), **counts)


def _median_first_token(events: QuerySet[AuditEvent]) -> int | None:
    times = events.filter(first_token_ms__isnull=False).order_by("first_token_ms")
    return times.values_list("first_token_ms", flat=True)[times.count() // 2 :].first()


def _events(tenant_id: UUID, day: date) -> QuerySet[AuditEvent]:
    start, end = _midnight(day), _midnight(day + timedelta(days=1))
    return AuditEvent.objects.filter(
        tenant_id=tenant_id, at_us__gte=to_microseconds(start), at_us__lt=to_microseconds(end)
    )


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
