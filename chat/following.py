"""Send a turn to one socket, no faster than its client acknowledges."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from django.utils.translation import gettext, override

from chat.turns import LiveTurn, TurnEnded, TurnStarted
from common.errors import PortalError
from inference.engine import Queued
from policy.errors import ConsentInPlace, PromptStopped
from policy.ruleset import PolicyRule

WINDOW = 64
STALLED_S = 30.0

# What the protocol calls a refused turn; every other error is an `error` frame.
REFUSALS = frozenset(
    {
        "consent_required",
        "rate_limited",
        "busy",
        "tenant_busy",
        "quota_turns",
        "quota_tokens",
        "not_kept",
        "queue_full",
        "queue_timeout",
        "too_long",
        "blocked",
        "consent_in_place",
        "policy_unavailable",
        "engine_unavailable",
        "audit_unavailable",
    }
)

Send = Callable[[dict[str, Any]], Awaitable[None]]


class StalledClient(Exception):
    """A client has not acknowledged anything for too long; its socket is of no use."""


class Follower:
    """One socket's view of one turn: what was sent, and what has been acknowledged, as sequence numbers."""

    def __init__(self, turn: LiveTurn, *, frame_id: str, after: int, send: Send) -> None:
        self.turn = turn
        self._frame_id = frame_id
        self._sent = self._acked = min(after, turn.seq)
        self._send = send
        self._room = asyncio.Event()

    def acknowledge(self, seq: int) -> None:
        """Note what has arrived; numbers from the future or the past change nothing."""
        if self._acked < seq <= self._sent:
            self._acked = seq
            self._room.set()

    async def run(self) -> None:
        """Send the turn to its end. Raises StalledClient."""
        turn = self.turn
        place: Queued | None = None
        started: TurnStarted | None = None
        while True:
            if turn.started is None and turn.place is not None and turn.place is not place:
                place = turn.place
                await self._say("turn.queued", position=place.position, eta_ms=place.eta_ms)
            elif turn.started is not None and started is None:
                started = turn.started
                await self._say("turn.started", **started_fields(started))
            elif turn.seq > self._sent:
                await self._send_text()
            elif turn.refusal is not None:
                await self._refuse(turn.refusal)
                return
            elif turn.ended is not None:
                await self._say("turn.done", **ended_fields(turn.ended))
                return
            else:
                await turn.wait_change()

    async def _send_text(self) -> None:
        """Send what has gathered as one frame, once there is room in the window."""
        while self._sent - self._acked >= WINDOW:
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), STALLED_S)
            except TimeoutError:
                raise StalledClient from None
        seq = self.turn.seq
        text, self._sent = self.turn.text_after(self._sent), seq
        await self._say("turn.delta", seq=seq, text=text)

    async def _refuse(self, error: PortalError) -> None:
        kind = "turn.refused" if error.code in REFUSALS else "error"
        await self._say(kind, **refusal_fields(error, language=self.turn.person.language))

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._send({"type": kind, "id": self._frame_id, "turn": str(self.turn.id), **fields})


def started_fields(started: TurnStarted) -> dict[str, Any]:
    """Return what `turn.started` carries."""
    return {
        "conversation": str(started.conversation),
        "message": str(started.message),
        "prompt": str(started.prompt),
        "temporary": started.temporary,
        "title": started.title,
        "shown": started.shown,
    }


def ended_fields(ended: TurnEnded) -> dict[str, Any]:
    """Return what `turn.done` carries."""
    return {
        "status": ended.status,
        "html": ended.html,
        "message": ended.message,
        "model": ended.model,
        "usage": {"prompt_tokens": ended.prompt_tokens, "completion_tokens": ended.completion_tokens},
        "timings": {
            "first_token_ms": ended.first_token_ms,
            "total_ms": ended.total_ms,
            "tokens_per_second": ended.tokens_per_second,
        },
        "reason": {"code": ended.reason_code, "title": ended.reason_title} if ended.reason_code else None,
    }


def refusal_fields(error: PortalError, *, language: str) -> dict[str, Any]:
    """Return what `turn.refused` and `error` carry, in the person's language."""
    with override(language):
        fields: dict[str, Any] = {
            "code": error.code,
            "message": gettext(error.message),
            "retry_after_ms": error.retry_after_ms,
        }
    if isinstance(error, PromptStopped) and error.decision.rule is not None:
        fields["reason"] = _reason_fields(error, error.decision.rule, language=language)
    return fields


def _reason_fields(error: PromptStopped, rule: PolicyRule, *, language: str) -> dict[str, Any]:
    """Return which rule stopped a prompt, and where; for consent in place what the client sends back to agree."""
    spans = error.spans if isinstance(error, ConsentInPlace) else error.decision.spans
    reason: dict[str, Any] = {
        "code": rule.code,
        "title": rule.title_in(language),
        "spans": [list(span) for span in spans],
    }
    if isinstance(error, ConsentInPlace):
        reason["confirm"] = list(error.codes)
    return reason
