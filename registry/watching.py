"""Watch a model in operation, per day, from the audit log alone: numbers and times, no person, no word.

An organisation's administrator sees the organisation's own events. Operators may read no organisation's log: for them
everything is summed over all organisations before it leaves the database, as in the metrics of the whole installation.

Turns that failed before the engine began carry no digest, so they count for no model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from uuid import UUID

from django.db.models import Count, F, FloatField, Q, QuerySet, Sum
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.models import AuditEvent, to_microseconds
from common import clock
from registry.models import ModelArtifact
from tenants.models import Tenant

DAYS = 7
RECENT = timedelta(hours=24)
BASELINE = timedelta(days=30)

ENDS = (
    "chat.complete",
    "chat.stop",
    "chat.failed",
    "chat.timeout",
    "chat.interrupted",
    "policy.block_output",
)
FAILURES = ("chat.failed", "chat.timeout", "chat.interrupted")

# What is too few to judge: of turns, of answers lately, of answers before.
MIN_TURNS, MIN_RECENT, MIN_BASELINE = 20, 30, 100
MAX_FAILURE_RATE = 0.05
MAX_WITHDRAWN_RATE = 0.10
# A shift of half a standard deviation is one that people notice ("medium" by Cohen); three standard errors, so that it
# is hardly chance.
MAX_DRIFT, MIN_ERRORS = 0.5, 3.0
MIN_SPEED_SHARE = 0.6

AlertCode = Literal["failures", "withdrawn", "longer", "shorter", "slower"]
ALERTS: dict[AlertCode, Promise] = {
    "failures": _("Many answers failed"),
    "withdrawn": _("Many answers were withdrawn"),
    "longer": _("Answers have become longer"),
    "shorter": _("Answers have become shorter"),
    "slower": _("Answers have become slower"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sum up the turns of some time. Lengths are those of completed answers, in tokens; decoding excludes the wait."""

    turns: int = 0
    failures: int = 0
    withdrawn: int = 0
    answers: int = 0
    tokens: float = 0
    squares: float = 0
    decode_tokens: float = 0
    decode_ms: float = 0
    first_token_p50_ms: int | None = None
    first_token_p95_ms: int | None = None

    @property
    def failure_rate(self) -> float:
        """Return the share of turns that failed, 0 to 1."""
        return self.failures / self.turns if self.turns else 0.0

    @property
    def withdrawn_rate(self) -> float:
        """Return the share of turns whose answer a rule withdrew, 0 to 1."""
        return self.withdrawn / self.turns if self.turns else 0.0

    @property
    def tokens_per_second(self) -> float | None:
        """Return the speed at which answers were written, each turn weighing what it wrote."""
        return self.decode_tokens * 1000 / self.decode_ms if self.decode_ms > 0 else None

    @property
    def mean_length(self) -> float | None:
        """Return the mean length of a completed answer."""
        return self.tokens / self.answers if self.answers else None

    @property
    def length_deviation(self) -> float:
        """Return the standard deviation of the lengths."""
        if self.answers < 2:
            return 0.0
        spread = self.squares - self.tokens**2 / self.answers
        return math.sqrt(max(0.0, spread) / (self.answers - 1))


@dataclass(frozen=True, slots=True)
class WatchedDay:
    """One day of a model, in the portal's time zone."""

    date: date
    totals: Totals


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that needs a look: what it is, the value found and the bound that it broke."""

    code: AlertCode
    label: Promise
    value: float
    bound: float


@dataclass(frozen=True, slots=True)
class Watch:
    """A model in operation: its days, today first; the last 24 hours against what was before; alerts.

    `drift` is how far the mean length of an answer has moved, in standard deviations; None where too few were given.
    """

    days: tuple[WatchedDay, ...]
    recent: Totals
    baseline: Totals
    drift: float | None
    alerts: tuple[Alert, ...]


def watch(artifact: ModelArtifact, *, tenant_id: UUID | None, days: int = DAYS) -> Watch:
    """Return how a model does for one organisation, or, with None, summed over all.

    The baseline goes back to the model's activation, thirty days at most.
    """
    events, now = _events(artifact, tenant_id), clock.now()
    start = max(now - BASELINE, artifact.activated_at or now - BASELINE)
    recent, baseline = _totals(events, now - RECENT, now), _totals(events, start, now - RECENT)
    today = timezone.localdate(now)
    shown = (today - timedelta(days=back) for back in range(days))
    return Watch(
        days=tuple(WatchedDay(day, _totals(events, *_bounds(day))) for day in shown),
        recent=recent,
        baseline=baseline,
        drift=drift_of(recent, baseline),
        alerts=alerts_of(recent, baseline),
    )


def drift_of(recent: Totals, baseline: Totals) -> float | None:
    """Return how far the mean length has moved, in standard deviations of before; None where too few are known."""
    before, now, deviation = baseline.mean_length, recent.mean_length, baseline.length_deviation
    if recent.answers < MIN_RECENT or baseline.answers < MIN_BASELINE or before is None or now is None:
        return None
    return (
        (now - before) / deviation if deviation else math.copysign(math.inf, now - before) * (now != before)
    )


def alerts_of(recent: Totals, baseline: Totals) -> tuple[Alert, ...]:
    """Return what needs a look. Pure: the bounds stand at the head of this module and in docs/models.md."""
    found: list[Alert] = []
    if recent.turns >= MIN_TURNS and recent.failure_rate > MAX_FAILURE_RATE:
        found.append(_alert("failures", recent.failure_rate, MAX_FAILURE_RATE))
    bound = max(MAX_WITHDRAWN_RATE, 2 * baseline.withdrawn_rate)
    if recent.turns >= MIN_TURNS and recent.withdrawn_rate > bound:
        found.append(_alert("withdrawn", recent.withdrawn_rate, bound))
    drift = drift_of(recent, baseline)
    errors = 1 / math.sqrt(1 / recent.answers + 1 / baseline.answers) if drift is not None else 0.0
    if drift is not None and abs(drift) > MAX_DRIFT and abs(drift) * errors > MIN_ERRORS:
        found.append(_alert("longer" if drift > 0 else "shorter", drift, math.copysign(MAX_DRIFT, drift)))
    before, now = baseline.tokens_per_second, recent.tokens_per_second
    known = recent.answers >= MIN_RECENT and baseline.answers >= MIN_BASELINE
    if known and before and now is not None and now < MIN_SPEED_SHARE * before:
        found.append(_alert("slower", now, MIN_SPEED_SHARE * before))
    return tuple(found)


def _alert(code: AlertCode, value: float, bound: float) -> Alert:
    return Alert(code, ALERTS[code], value, bound)


def _events(artifact: ModelArtifact, tenant_id: UUID | None) -> QuerySet[AuditEvent]:
    """Return the ends of an artefact's turns; the chains are named so that the index of times serves."""
    chains = [tenant_id] if tenant_id else list(Tenant.objects.values_list("id", flat=True))
    # A turn that was stopped in the queue has no duration: the model had no part in it.
    took_part = Q(duration_ms__isnull=False) | Q(action="chat.interrupted")
    return AuditEvent.objects.filter(
        took_part, tenant_id__in=chains, model_digest=artifact.sha256, action__in=ENDS
    ).order_by()


def _totals(events: QuerySet[AuditEvent], since: datetime, until: datetime) -> Totals:
    some = events.filter(at_us__gte=to_microseconds(since), at_us__lt=to_microseconds(until))
    complete = Q(action="chat.complete", tokens_out__gt=0)
    timed = complete & Q(tokens_out__gt=1, first_token_ms__isnull=False, duration_ms__gt=F("first_token_ms"))
    # As floats: a worker that claims absurd numbers must not overflow the database's.
    tokens, spent = (
        Cast("tokens_out", FloatField()),
        Cast("duration_ms", FloatField()) - Cast("first_token_ms", FloatField()),
    )
    sums = some.aggregate(
        turns=Count("pk"),
        failures=Count("pk", filter=Q(action__in=FAILURES)),
        withdrawn=Count("pk", filter=Q(action="policy.block_output")),
        answers=Count("pk", filter=complete),
        tokens=Sum(tokens, filter=complete, default=0.0),
        squares=Sum(tokens * tokens, filter=complete, default=0.0),
        decode_tokens=Sum(tokens - 1.0, filter=timed, default=0.0),
        decode_ms=Sum(spent, filter=timed, default=0.0),
    )
    times = some.filter(first_token_ms__isnull=False).order_by("first_token_ms")
    count = times.count()
    first = times.values_list("first_token_ms", flat=True)
    return Totals(
        first_token_p50_ms=first[count // 2 :].first() if count else None,
        first_token_p95_ms=first[count * 95 // 100 :].first() if count else None,
        **sums,
    )


def _bounds(day: date) -> tuple[datetime, datetime]:
    first, last = (datetime.combine(one, time.min) for one in (day, day + timedelta(days=1)))
    return timezone.make_aware(first), timezone.make_aware(last)
