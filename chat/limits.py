"""Check, for each turn, how much a person may ask for.

The limits are the organisation's system parameters as they hold when the turn begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from accounts.models import User
from chat.quotas import DailyQuota, daily_quota
from chat.requests import TurnRequest
from common.errors import PortalError, _
from common.threads import in_database_thread
from consent.services import Consented, require_consent
from inference.errors import EngineUnavailable, PromptTooLong
from inference.pool import Allowance, InferencePool, Ticket
from tenants.parameters import Persistence
from tenants.values import Values, tenant_values

RETRY_MS = 1000


class NotKept(PortalError):
    """The organisation keeps no conversations any more; one from before cannot be gone on with."""

    code = "not_kept"
    http_status = 409
    message = _("Your organisation keeps no conversations. Please begin a new one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnLimits:
    """What a turn of a person who has consented may take."""

    consented: Consented
    weight: float
    allowance: Allowance
    max_prompt_chars: int
    max_new_tokens: int
    persistence: Persistence
    quota: DailyQuota


def enter(account: User) -> TurnLimits:
    """Return what the person's next turn may take, who must have consented. Raises ConsentRequired."""
    consented = require_consent(account)
    weight = account.tenant.engine_weight if account.tenant else 1.0
    return _limits(consented, values=tenant_values(consented.tenant_id), weight=weight)


aenter = in_database_thread(enter)


def limits_shown(tenant_id: UUID) -> dict[str, int]:
    """Return the limits that people see."""
    values = tenant_values(tenant_id)
    return {name: values.number(name) for name in ("max_prompt_chars", "max_new_tokens", "rate_per_minute")}


alimits_shown = in_database_thread(limits_shown)


def read_persistence(tenant_id: UUID) -> Persistence:
    """Return what becomes of an organisation's new conversations."""
    return Persistence(tenant_values(tenant_id).text("persistence"))


def fit(request: TurnRequest, limits: TurnLimits) -> TurnRequest:
    """Return the request as the organisation allows it: where it keeps no conversations, a temporary one.

    Raises PromptTooLong, and NotKept for a conversation that was kept before.
    """
    if len(request.text) > limits.max_prompt_chars:
        raise PromptTooLong
    if limits.persistence is not Persistence.NEVER or request.temporary:
        return request
    if request.kind != "send" or request.conversation is not None:
        raise NotKept
    return replace(request, temporary=True)


def require_pool(pool: InferencePool | None) -> InferencePool:
    """Return the pool. Raises EngineUnavailable while there is none: before the model is chosen, or at the end."""
    if pool is None:
        raise EngineUnavailable(retry_after_ms=RETRY_MS)
    return pool


def check(limits: TurnLimits, *, pool: InferencePool) -> Ticket:
    """Return the ticket for one turn: a place in the queue, then a slot of the engine.

    Raises RateLimited, Busy, TenantBusy, QueueFull or EngineUnavailable, each with `retry_after_ms` where waiting
    helps.
    """
    return pool.admit(
        tenant=str(limits.consented.tenant_id),
        person=str(limits.consented.account_id),
        weight=limits.weight,
        allowance=limits.allowance,
    )


def _limits(consented: Consented, *, values: Values, weight: float) -> TurnLimits:
    return TurnLimits(
        consented=consented,
        weight=weight,
        allowance=Allowance(
            rate_per_minute=values.number("rate_per_minute"),
            running_per_person=values.number("running_per_person"),
            running_per_tenant=values.number("quota_running"),
        ),
        max_prompt_chars=values.number("max_prompt_chars"),
        max_new_tokens=values.number("max_new_tokens"),
        persistence=Persistence(values.text("persistence")),
        quota=daily_quota(values),
    )
