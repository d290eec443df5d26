"""Find events of one tenant: filters and pages by place in the chain, which stay stable while events are added."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from audit.models import AuditEvent

PAGE_ROWS = 50
STATUS_RANGES = {"ok": (100, 399), "4xx": (400, 499), "5xx": (500, 599)}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """What to look for. Times are UTC in microseconds, from `since_us` and before `until_us`.

    `action` is a name or a whole family (`chat.*`), `status` a number or one of STATUS_RANGES, `actor` the
    beginning of a pseudonym.
    """

    since_us: int | None = None
    until_us: int | None = None
    action: str = ""
    status: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first, and whether there are newer and older ones that match."""

    events: list[AuditEvent]
    has_newer: bool
    has_older: bool


def find_events(
    tenant_id: UUID, *, wanted: EventFilter, before: int | None = None, after: int | None = None
) -> EventPage:
    """Return up to PAGE_ROWS events: those next before a place, those next after one, or the newest."""
    matching = _matching(tenant_id, wanted)
    if after is not None:
        rows = list(matching.filter(seq__gt=after).order_by("seq")[: PAGE_ROWS + 1])
        return EventPage(rows[:PAGE_ROWS][::-1], has_newer=len(rows) > PAGE_ROWS, has_older=True)
    bound = matching if before is None else matching.filter(seq__lt=before)
    rows = list(bound.order_by("-seq")[: PAGE_ROWS + 1])
    return EventPage(rows[:PAGE_ROWS], has_newer=before is not None, has_older=len(rows) > PAGE_ROWS)


def find_event(tenant_id: UUID, *, seq: int) -> AuditEvent | None:
    """Return one event of the tenant's chain."""
    return AuditEvent.objects.filter(tenant_id=tenant_id, seq=seq).first()


def _matching(tenant_id: UUID, wanted: EventFilter) -> QuerySet[AuditEvent]:
    conditions = Q(tenant_id=tenant_id)
    if wanted.since_us is not None:
        conditions &= Q(at_us__gte=wanted.since_us)
    if wanted.until_us is not None:
        conditions &= Q(at_us__lt=wanted.until_us)
    if wanted.action.endswith(".*"):
        conditions &= Q(action__startswith=wanted.action[:-1])
    elif wanted.action:
        conditions &= Q(action=wanted.action)
    if wanted.status:
        low, high = STATUS_RANGES.get(wanted.status) or (int(wanted.status), int(wanted.status))
        conditions &= Q(status__range=(low, high))
    if wanted.actor:
        conditions &= Q(actor__startswith=wanted.actor)
    return AuditEvent.objects.filter(conditions)
