"""Count what an organisation uses of its daily quotas, and refuse a turn where one is used up.

A question is counted when its turn is stored, in the same transaction and with the row locked, so that many at once
cannot go beyond the quota; what an answer took is counted when it ends, so running answers may go beyond that one.
Without a quota nothing is counted and nothing costs a query.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import F
from django.utils.timezone import localdate

from common.errors import PortalError, _
from tenants.models import QuotaUse
from tenants.values import Values


class QuotaReached(PortalError):
    """The organisation has used up what it is granted for a day."""

    code = "quota_turns"
    http_status = 429
    message = _("Your organisation has asked as many questions today as it may. It can go on tomorrow.")


class TokensUsedUp(QuotaReached):
    """The organisation's answers and questions of today hold as many tokens as it is granted."""

    code = "quota_tokens"
    message = _("Your organisation has used up its tokens of today. It can go on tomorrow.")


@dataclass(frozen=True, slots=True)
class DailyQuota:
    """What an organisation is granted for a day; 0 is no limit."""

    turns: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """A turn that was counted, and on which day."""

    tenant_id: UUID
    day: date


def daily_quota(values: Values) -> DailyQuota:
    """Return an organisation's quota."""
    return DailyQuota(values.number("quota_turns_per_day"), values.number("quota_tokens_per_day"))


def take_turn(tenant_id: UUID, quota: DailyQuota) -> Counted | None:
    """Count one turn of today, in the caller's transaction; None where nothing is counted.

    Raises QuotaReached and TokensUsedUp.
    """
    if not (quota.turns or quota.tokens):
        return None
    today = localdate()
    use, _created = QuotaUse.objects.select_for_update().get_or_create(tenant_id=tenant_id, day=today)
    if 0 < quota.turns <= use.turns:
        raise QuotaReached
    if 0 < quota.tokens <= use.tokens:
        raise TokensUsedUp
    QuotaUse.objects.filter(pk=use.pk).update(turns=F("turns") + 1)
    return Counted(tenant_id, today)


def give_back(counted: Counted | None) -> None:
    """Take back a turn that never reached the engine."""
    if counted is not None:
        QuotaUse.objects.filter(day=counted.day, turns__gt=0).update(turns=F("turns") - 1)


def count_tokens(counted: Counted | None, tokens: int) -> None:
    """Count what a turn took."""
    if counted is not None and tokens:
        QuotaUse.objects.filter(day=counted.day).update(tokens=F("tokens") + tokens)
