"""Compute with fewer threads while another process needs a core, and take it back afterwards.

Threads of one computation wait for each other hundreds of times per token: where one of them has to share its core, all
of them lose the time that it loses, and a whole core less is several times faster. Nothing tells us that a core is
shared but our own pace, and nothing tells that it is free again but a trial.
"""

from __future__ import annotations

# A step that takes so many times the best of its kind is slow; so many slow ones in a row mean that a core is shared.
_SLOW = 1.7
_ENOUGH = 3
# Seconds between a drop and a trial: doubled with each trial that fails.
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 16.0
_TRIAL_STEPS = 2
# Contexts grow, so the best is allowed to age, by this much per step.
_AGEING = 1.003


READING = -1


class ThreadWatch:
    """Say after each step how many threads the next one shall use. Of one thread."""

    def __init__(self, threads: int) -> None:
        self._most = self.threads = threads
        self._best: dict[tuple[int, int], float] = {}
        self._slow = 0
        self._wait = _FIRST_WAIT_S
        self._next_trial = 0.0
        self._trial: list[float] = []
        self._is_trial = False

    def note(self, *, kind: int, seconds: float, now: float) -> int:
        """Learn from a step; return the threads for the next.

        Steps of one kind take the same time: with so many answers and nothing else, or READING, per prompt token.
        """
        key = (self.threads, kind)
        best = self._best.get(key, seconds)
        if self._is_trial:
            return self._judge(kind, seconds, now)
        self._best[key] = min(best * _AGEING, seconds)
        self._slow = self._slow + 1 if seconds > _SLOW * best else 0
        if self._slow >= _ENOUGH and self.threads > 1:
            self._step_down(now)
        elif self.threads < self._most and now >= self._next_trial:
            self.threads += 1
            self._is_trial, self._trial = True, []
        return self.threads

    def _step_down(self, now: float) -> None:
        self.threads -= 1
        self._slow = 0
        self._next_trial = now + self._wait

    def _judge(self, kind: int, seconds: float, now: float) -> int:
        """End a trial: keep the thread where every step was faster than without it."""
        self._trial.append(seconds)
        before = self._best.get((self.threads - 1, kind))
        failed = before is None or seconds > before
        if failed or len(self._trial) >= _TRIAL_STEPS:
            self._is_trial = False
            self._wait = min(self._wait * 2, _LONGEST_WAIT_S) if failed else _FIRST_WAIT_S
            if failed:
                self._step_down(now)
        return self.threads
