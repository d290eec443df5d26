"""Estimate when each of those who wait gets a slot, from what answers took of late.

Answers differ much in length, so no single number says when the next slot comes free: with four answers running, the
first to end does so long before a mean one would. The queue is therefore played through several times, each time with
lengths drawn from those of recent answers (for one that runs: from those that were longer than it is already), at the
speed that streams have now. What is told is the median.

Each turn keeps its own draws for as long as it lives: estimates move because something happened, not by chance.
"""

from __future__ import annotations

import heapq
import random
import statistics
from bisect import bisect_right, insort
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from inference.sharing import SlotRule

# Odd, so that the median is one of them. More make estimates no better: what is left is chance in the answers.
SCENARIOS = 15
# Turns whose start is played through. Beyond, a wait is drawn out in proportion; the queue's own limit is near there.
DEPTH = 96
# How many answers count as recent.
_RECENT = 64
# Before there are any: lengths in tokens, seconds per token, seconds to the first token.
_GUESSED_LENGTHS = (24, 48, 80, 120, 160, 220, 300, 420)
_GUESSED_STEP_S = 0.04
_GUESSED_FIRST_S = 0.5
# A stream shows its own speed from so many tokens on.
_TELLING_TOKENS = 8
# What is left of a turn that ends this moment, in seconds.
_LAST_S = 0.05
_GAIN = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """Say how far a turn on a slot is: seconds since it got it, tokens made, and over which time it made them."""

    tenant: str
    ran_s: float
    made: int
    decoding_s: float
    limit: int
    draws: Sequence[float]
    is_ending: bool = False


@dataclass(frozen=True, slots=True)
class Prospect:
    """Say what is known of one that waits. `patience_s` is when it gives up."""

    tenant: str
    limit: int
    patience_s: float
    draws: Sequence[float]


def draws_for(number: int) -> tuple[float, ...]:
    """Return a turn's own draws between 0 and 1, spread evenly, in an order that its number decides."""
    chance = random.Random(number)  # noqa: S311 (estimates, not secrets; repeatable on purpose)
    order = list(range(SCENARIOS))
    chance.shuffle(order)
    return tuple((place + chance.random()) / SCENARIOS for place in order)


class Forecast:
    """Learn from turns that are over, and say what those on slots and in the queue will take. For one model."""

    def __init__(self, *, wall_time_s: float) -> None:
        self._wall_time_s = wall_time_s
        self._recent: deque[int] = deque(_GUESSED_LENGTHS)
        self._sorted: list[int] = sorted(_GUESSED_LENGTHS)
        self._real = 0
        self._steps: dict[int, float] = {}
        self._first_s = 0.0

    @property
    def turn_s(self) -> float:
        """Return the seconds that a turn holds its slot on the average, at the speed of a busy worker."""
        step = self._steps[max(self._steps)] if self._steps else _GUESSED_STEP_S
        return min(self._wall_time_s, self._wait_first_s + step * statistics.fmean(self._sorted))

    @property
    def _wait_first_s(self) -> float:
        return self._first_s or _GUESSED_FIRST_S

    def note(self, *, first_s: float, made: int, decoding_s: float, beside: int) -> None:
        """Take a turn that is over into account: `beside` is how many streams ran at its end, itself included."""
        self._note_length(made)
        if made:
            self._first_s += _GAIN * (first_s - self._first_s) if self._first_s else first_s
        if made >= _TELLING_TOKENS:
            step = decoding_s / (made - 1)
            known = self._steps.get(beside, step)
            self._steps[beside] = known + _GAIN * (step - known)

    def waits_ms(self, running: Sequence[Progress], waiting: Sequence[Prospect], rule: SlotRule) -> list[int]:
        """Return for each of those who wait, in their order, the milliseconds until it gets a slot."""
        step_s = self._present_step_s(running, streams=min(rule.slots, len(running) + len(waiting)))
        near = waiting[:DEPTH]
        plays = [self._play(scenario, running, near, rule, step_s) for scenario in range(SCENARIOS)]
        waits = [round(statistics.median(times) * 1000) for times in zip(*plays, strict=True)]
        beyond = range(len(near), len(waiting))
        return waits + [round(waits[-1] * (place + 1) / len(near)) for place in beyond]

    def _note_length(self, made: int) -> None:
        """Keep the length; guesses go first, each for a real one."""
        self._recent.append(made)
        insort(self._sorted, made)
        if len(self._recent) > _RECENT or self._real < len(_GUESSED_LENGTHS):
            self._sorted.remove(self._recent.popleft())
        self._real += 1

    def _present_step_s(self, running: Sequence[Progress], *, streams: int) -> float:
        """Return the seconds per token of a stream beside so many: what those running show, else what was learnt."""
        shown = [turn.decoding_s / (turn.made - 1) for turn in running if turn.made >= _TELLING_TOKENS]
        if shown:
            return statistics.fmean(shown)
        if not self._steps:
            return _GUESSED_STEP_S
        return self._steps[min(self._steps, key=lambda known: abs(known - streams))]

    def _play(
        self,
        scenario: int,
        running: Sequence[Progress],
        waiting: Sequence[Prospect],
        rule: SlotRule,
        step_s: float,
    ) -> list[float]:
        """Play the queue through once and return when each one starts."""
        ends = [(self._rest_s(turn, scenario, step_s), turn.tenant) for turn in running]
        heapq.heapify(ends)
        held = Counter(turn.tenant for turn in running)
        starts = [0.0] * len(waiting)
        lanes: dict[str, deque[int]] = {}
        for place, prospect in enumerate(waiting):
            lanes.setdefault(prospect.tenant, deque()).append(place)
        now = 0.0
        while lanes:
            able = [
                lane[0] for tenant, lane in lanes.items() if rule.may_take(tenant, held, alone=len(lanes) < 2)
            ]
            if able:
                place = min(able)
                prospect = waiting[place]
                starts[place] = now
                _drop_first(lanes, prospect.tenant)
                if now <= prospect.patience_s:
                    held[prospect.tenant] += 1
                    end = now + self._whole_s(prospect, scenario, step_s)
                    heapq.heappush(ends, (end, prospect.tenant))
            else:
                now, tenant = heapq.heappop(ends)
                held[tenant] -= 1
        return starts

    def _rest_s(self, turn: Progress, scenario: int, step_s: float) -> float:
        """Return what is left of a turn on a slot, if its answer is as long as its draw says."""
        if turn.is_ending:
            return _LAST_S
        ahead = self._length(turn.draws[scenario], made=turn.made, limit=turn.limit) - turn.made
        first = 0.0 if turn.made else max(_LAST_S, self._wait_first_s - turn.ran_s)
        return min(first + max(_LAST_S, ahead * step_s), max(_LAST_S, self._wall_time_s - turn.ran_s))

    def _whole_s(self, prospect: Prospect, scenario: int, step_s: float) -> float:
        length = self._length(prospect.draws[scenario], made=0, limit=prospect.limit)
        return min(self._wall_time_s, self._wait_first_s + length * step_s)

    def _length(self, draw: float, *, made: int, limit: int) -> float:
        """Return the length at that draw among recent answers longer than `made`.

        If none was so long, any length up to the limit is as likely.
        """
        shorter = bisect_right(self._sorted, made)
        longer = len(self._sorted) - shorter
        if not longer:
            return made + draw * max(0, limit - made)
        return min(limit, self._sorted[shorter + int(draw * longer)])


def _drop_first(lanes: dict[str, deque[int]], tenant: str) -> None:
    lanes[tenant].popleft()
    if not lanes[tenant]:
        del lanes[tenant]
