"""Stop a look at a text that takes too long: what the rules cannot decide in time does not pass."""

from __future__ import annotations

import time
from collections.abc import Callable

PER_CHARS = 100_000

# Called between the phases of a look at a text, and for each rule and match; raises where the time is over.
Check = Callable[[], None]


class BudgetSpent(Exception):
    """The time for a text is over."""


def no_budget() -> None:
    """Take any time: for files that are checked before anybody waits."""


def budget_for(chars: int, *, budget_ms: float) -> Check:
    """Return the check of a look that begins now: `budget_ms` for each 100,000 characters, and at the least once.

    Milliseconds of this thread's own processor time, so that a busy machine refuses nobody.
    """
    limit_s = budget_ms / 1000 * max(1.0, chars / PER_CHARS)
    end = time.thread_time() + limit_s

    def check() -> None:
        if time.thread_time() > end:
            raise BudgetSpent

    return check
