"""Say who may take a free slot, so that nobody who comes finds every slot held by one tenant.

An answer holds its slot for many seconds and is not interrupted. So that a flood of one tenant does not make another
wait for the rest of an answer, the flood must leave slots free before the other one comes:

- A tenant that holds no slot may take any free one.
- A tenant that holds one may take another only while what the others may claim stays free: for each tenant that was
  active within the last WINDOW_S, as many slots as it used at once, but no more than its share by weight.
- A tenant that holds one and is the only one that waits leaves one slot free, if there are others who may come.
- A person who holds a slot leaves one to the others in the same way.

What is kept free costs little: the streams of one worker share the same processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference.queueing import Claim

# Seconds for which a tenant is expected back: reading an answer and writing the next question takes about a minute.
WINDOW_S = 120.0


@dataclass(frozen=True, slots=True)
class SlotRule:
    """Decide about slots as things stand: `reserves` is what each recently active tenant may claim."""

    slots: int
    reserves: Mapping[str, int]
    others_may_come: bool

    def may_take(self, tenant: str, held: Mapping[str, int], *, alone: bool, own: int = 0) -> bool:
        """Say whether that tenant may take one more slot: `alone` if no other waits; its person already holds `own`."""
        free = self.slots - sum(held.values())
        if free < 1 or not held.get(tenant):
            return free > 0
        claims = sum(
            max(0, slots - held.get(other, 0)) for other, slots in self.reserves.items() if other != tenant
        )
        return free > max(claims, (alone and self.others_may_come) or own > 0)


@dataclass(slots=True)
class _Demand:
    """Follow one tenant: turns that wait or run now, and the most of the last while."""

    weight: float
    present: int = 0
    peak: int = 0
    peak_at: float = 0.0


class SlotShares:
    """Follow which tenants are or were active lately, and with how much. Times in seconds of one clock."""

    def __init__(self) -> None:
        self._demands: dict[str, _Demand] = {}
        self.others_may_come = False

    def arrive(self, claim: Claim, *, now: float) -> None:
        """Note a turn that wants a slot."""
        demand = self._demands.setdefault(claim.tenant, _Demand(claim.weight))
        demand.weight = claim.weight
        demand.present += 1
        if demand.present >= demand.peak:
            demand.peak, demand.peak_at = demand.present, now

    def leave(self, claim: Claim, *, now: float) -> None:
        """Note that a turn is over, or was given up."""
        self._demands[claim.tenant].present -= 1
        self._expire(now)

    def rule(self, slots: int, *, now: float) -> SlotRule:
        """Return the rule for so many slots as it stands now."""
        self._expire(now)
        whole = sum(demand.weight for demand in self._demands.values())
        reserves = {
            tenant: min(demand.peak, max(1, int(slots * demand.weight / whole)))
            for tenant, demand in self._demands.items()
        }
        return SlotRule(slots, reserves, self.others_may_come or len(reserves) > 1)

    def _expire(self, now: float) -> None:
        for tenant, demand in list(self._demands.items()):
            if now - demand.peak_at > WINDOW_S:
                demand.peak, demand.peak_at = demand.present, now
            if not demand.peak:
                del self._demands[tenant]
