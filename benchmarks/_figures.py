"""Hold what was measured of answers, and reduce many figures to a few. Times are in seconds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


class BenchmarkError(RuntimeError):
    """What was to be measured did not happen; the text says what happened instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: when its first words were there and when all of it was, counted from the question."""

    first_s: float
    total_s: float
    tokens: int
    pieces: int = 0
    stop_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Answers to questions that were asked at the same moment; `wall_s` lasts until the last of them ended."""

    answers: tuple[Answer, ...]
    wall_s: float

    @property
    def tokens(self) -> int:
        """Return the tokens of all answers."""
        return sum(answer.tokens for answer in self.answers)

    @property
    def tokens_per_s(self) -> float:
        """Return tokens of all answers per second, the wait for the first ones included."""
        return self.tokens / self.wall_s


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several figures, and between which two they lie."""

    middle: float
    low: float
    high: float

    def times(self, factor: float) -> Spread:
        """Return the same in another unit."""
        return Spread(self.middle * factor, self.low * factor, self.high * factor)


def spread(values: Sequence[float]) -> Spread:
    """Return median, lowest and highest."""
    return Spread(statistics.median(values), min(values), max(values))


def quartiles(values: Sequence[float]) -> Spread:
    """Return median and quartiles: of many figures on a shared machine the extremes say little."""
    return Spread(statistics.median(values), percentile(values, 25), percentile(values, 75))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which that many of a hundred lie, between two neighbours by proportion."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def first_words(rounds: Sequence[Round]) -> list[float]:
    """Return when the first words of each answer came, over all rounds."""
    return [answer.first_s for one in rounds for answer in one.answers]
