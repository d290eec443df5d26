"""Decide how long to wait before a worker that failed is started again, and when to stop trying.

closed ── too many failures in a row ──> open ── after a pause, one try ──> half-open
half-open ── the try does its work ──> closed        half-open ── it fails ──> open
"""

from __future__ import annotations

from typing import Literal

Circuit = Literal["closed", "open", "half-open"]

# Seconds before the first, second, … restart in a row. The first is at once: the next turn shall work within 5 s.
PAUSES_S = (0.0, 0.5, 1.0, 2.0)
# After one failure more than there are pauses the worker is given up, but for one try every SLOW_RETRY_S.
MAX_FAILURES = len(PAUSES_S) + 1
SLOW_RETRY_S = 30.0
# A worker that lives this long, or has finished a turn, has shown that it works: the count begins anew.
PROVEN_S = 60.0


class Breaker:
    """Count failures in a row. It knows no clock: whoever owns it waits as long as `fail` says, then calls `probe`."""

    def __init__(self) -> None:
        self.circuit: Circuit = "closed"
        self.failures = 0

    def fail(self, *, lived_s: float, is_hopeless: bool = False) -> float:
        """Count a failure and return the pause in seconds before the next try.

        A worker that says itself why it cannot work is hopeless: trying again quickly helps nobody.
        """
        self.failures = 1 if lived_s >= PROVEN_S and self.circuit == "closed" else self.failures + 1
        if is_hopeless or self.failures >= MAX_FAILURES or self.circuit != "closed":
            self.failures = MAX_FAILURES
            self.circuit = "open"
            return SLOW_RETRY_S
        return PAUSES_S[self.failures - 1]

    def probe(self) -> None:
        """Let one try through an open circuit."""
        if self.circuit == "open":
            self.circuit = "half-open"

    def prove(self) -> None:
        """Note that the worker does its work. An open circuit stays open: what proves nothing any more came late."""
        if self.circuit != "open":
            self.circuit = "closed"
            self.failures = 0
