"""Turn events into what a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.functional import Promise

from audit.actions import Tone, label_of, tone_of
from audit.models import AuditEvent
from audit.verification import Verification

SHORT_ID = 8


@dataclass(frozen=True, slots=True)
class EventRow:
    """One row of the list, or the drawer.

    `object_label` is short, `object_id` whole, `outcome` for people.
    """

    seq: int
    at: datetime
    actor: str
    action: str
    action_label: str | Promise
    object_label: str
    object_type: str
    object_id: str
    outcome: str
    status: int
    tone: Tone
    duration_ms: int | None
    ip: str
    hash: str
    prev_hash: str
    model_digest: str
    policy_version: str
    first_token_ms: int | None
    tokens_in: int | None
    tokens_out: int | None
    is_broken: bool


@dataclass(frozen=True, slots=True)
class Banner:
    """What the page says of the chain; `ok` is None where this process has not verified it yet."""

    ok: bool | None
    count: int = 0
    first_bad_seq: int | None = None
    reason: str = ""
    checked_at: datetime | None = None


def banner(verification: Verification | None) -> Banner:
    """Return a verification as the page shows it."""
    if verification is None:
        return Banner(ok=None)
    return Banner(
        ok=verification.ok,
        count=verification.count,
        first_bad_seq=verification.first_bad_seq,
        reason=str(verification.reason.label),
        checked_at=verification.checked_at,
    )


def event_row(event: AuditEvent, *, verification: Verification | None) -> EventRow:
    """Return an event as a row; it is marked broken where the verification found its first fault."""
    return EventRow(
        seq=event.seq,
        at=event.at,
        actor=event.actor,
        action=event.action,
        action_label=label_of(event.action),
        object_label=_object_label(event),
        object_type=event.object_type,
        object_id=event.object_id,
        outcome=event.get_outcome_display(),
        status=event.status,
        tone=tone_of(event.action, event.status),
        duration_ms=event.duration_ms,
        ip=event.ip,
        hash=event.hash,
        prev_hash=event.prev_hash,
        model_digest=event.model_digest,
        policy_version=event.policy_version,
        first_token_ms=event.first_token_ms,
        tokens_in=event.tokens_in,
        tokens_out=event.tokens_out,
        is_broken=verification is not None and verification.first_bad_seq == event.seq,
    )


def _object_label(event: AuditEvent) -> str:
    if not event.object_type:
        return ""
    return f"{event.object_type}/{_short(event.object_id)}"


def _short(object_id: str) -> str:
    try:
        return str(UUID(object_id))[:SHORT_ID]
    except ValueError:
        return object_id
