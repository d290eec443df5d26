"""Check, for each turn, how much a person may ask for."""

from __future__ import annotations

from consent.services import Consented
from inference.errors import EngineUnavailable
from inference.pool import InferencePool, Ticket

RETRY_MS = 1000


def require_pool(pool: InferencePool | None) -> InferencePool:
    """Return the pool. Raises EngineUnavailable while there is none: before the model is chosen, or at the end."""
    if pool is None:
        raise EngineUnavailable(retry_after_ms=RETRY_MS)
    return pool


def check(consented: Consented, *, pool: InferencePool, weight: float) -> Ticket:
    """Return the ticket for one turn of a person who has consented: a place in the queue, then a slot of the engine.

    `weight` is their organisation's share against 1 of an ordinary one.

    Raises RateLimited, Busy, QueueFull or EngineUnavailable, each with `retry_after_ms` where waiting helps.
    """
    return pool.admit(tenant=str(consented.tenant_id), person=str(consented.account_id), weight=weight)
