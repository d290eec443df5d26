"""Say how much is measured, and which questions are asked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

CROWDS = (1, 4, 8, 16)
MEMBERS = max(CROWDS)

_numbers = itertools.count(100_001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often each figure is taken. More rounds steady the medians; none of them changes what is measured.

    No further round begins once those with a model have taken `crowd_budget_s`.
    """

    starts: int
    single_pairs: int
    crowd_rounds: int
    crowd_budget_s: float
    model_tokens: int
    scripted_rounds: int
    scripted_first_rounds: int
    scripted_tokens: int
    turns_per_member: int
    idle_s: float


FULL = Plan(
    starts=3,
    single_pairs=30,
    crowd_rounds=3,
    crowd_budget_s=200,
    model_tokens=48,
    scripted_rounds=3,
    scripted_first_rounds=40,
    scripted_tokens=250,
    turns_per_member=12,
    idle_s=10,
)
QUICK = Plan(
    starts=1,
    single_pairs=8,
    crowd_rounds=1,
    crowd_budget_s=60,
    model_tokens=32,
    scripted_rounds=1,
    scripted_first_rounds=10,
    scripted_tokens=150,
    turns_per_member=6,
    idle_s=10,
)


def story_questions(count: int) -> list[str]:
    """Return questions for a model: equally long, no two alike, so that no answer comes out of a cache."""
    return [
        f"Story number {next(_numbers)}: tell me all about the lighthouse, the old keeper and the long winter."
        for _ in range(count)
    ]


def scripted_questions(count: int, *, words: int) -> list[str]:
    """Return questions that the scripted engine answers with about that many words, one per pause."""
    return [f"Well number {next(_numbers)} count {words}" for _ in range(count)]
