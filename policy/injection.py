"""Score how much a text looks like an attempt to take the assistant over (prompt injection). Pure.

Signals give points; within a passage each counts once, and what marks a text as one about the subject takes points
away. The points become a score between 0 and 1. What is encoded is decoded and looked at in the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

from policy.budget import Check, no_budget
from policy.decoding import MAX_LAYERS, Allowance, Run, decode_runs, is_leet, turn
from policy.normalise import Normalised, normalise
from policy.signals import Hit, SignalTable, default_table, strongest_passage
from policy.wording import Wording, default_wording

# Signals add up over about a page of Chinese, or half a page of English.
PASSAGE_CHARS = 1200
# Points that make an even chance; 0.74 takes 1.05 more.
EVEN_POINTS = 3.0
# What is encoded and holds a signal means to hide it.
HIDDEN_POINTS = 1.5
# What is wrapped deeper or more often than anybody looks means to tire the detector.
UNREAD_POINTS = 4.1


@dataclass(frozen=True, slots=True)
class Injection:
    """How much a text looks like an injection, 0 to 1, and the signals that say so, from the left."""

    score: float
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Detector:
    """What injections are recognised by: signals and, where there is one, a model of their wording."""

    table: SignalTable
    wording: Wording | None = None

    def score(self, text: str, seen: Normalised, *, check: Check = no_budget) -> Injection:
        """Return the score of a text and the signals behind it. Raises what `check` raises."""
        hits = self._find(text, seen, Allowance(check=check), layers=())
        points, passage = strongest_passage(hits, length=PASSAGE_CHARS)
        return Injection(score=_chance(points), hits=tuple(passage))

    def _find(
        self, text: str, seen: Normalised, allowance: Allowance, *, layers: tuple[str, ...]
    ) -> list[Hit]:
        allowance.check()
        words = self.table.words_in(seen, check=allowance.check)
        hits = list(self.table.find(seen, words))
        if self.wording is not None:
            hits += self.wording.find(seen, words, check=allowance.check)
        if not self.table.is_decoding:
            return hits
        if len(layers) < MAX_LAYERS:
            for run in self._unwrap(text, seen, allowance, layers=layers):
                hits += self._look_into(run, allowance, layers=(*layers, run.kind))
        else:
            hits += [_unread(run.start, run.end) for run in decode_runs(text, allowance)]
        return [*hits, _unread(0, len(text))] if allowance.is_spent and not layers else hits

    def _unwrap(
        self, text: str, seen: Normalised, allowance: Allowance, *, layers: tuple[str, ...]
    ) -> list[Run]:
        """Return what is encoded in a text; a text that is turned as a whole is one run."""
        runs = list(decode_runs(text, allowance))
        kinds = [*self.table.turned.kinds(seen.core.text), *(["leet"] if is_leet(seen.data) else [])]
        for kind in kinds:
            turned = turn(seen.letters, kind)
            if kind not in layers and allowance.takes(turned):
                runs.append(Run(kind, 0, len(text), turned))
        return runs

    def _look_into(self, run: Run, allowance: Allowance, *, layers: tuple[str, ...]) -> list[Hit]:
        """Return the signals of a decoded run, at the place of the run."""
        inner = self._find(run.text, normalise(run.text), allowance, layers=layers)
        points, passage = strongest_passage(inner, length=PASSAGE_CHARS)
        if points < HIDDEN_POINTS:
            return []
        end = min(run.end, run.start + PASSAGE_CHARS // 2)
        hidden = Hit("encoding.hidden", HIDDEN_POINTS, run.start, end)
        moved = [replace(hit, start=run.start, end=end, layers=(run.kind, *hit.layers)) for hit in passage]
        return [hidden, *moved]


@cache
def default_detector() -> Detector:
    """Return the detector that comes with the portal."""
    return Detector(default_table(), default_wording())


def _unread(start: int, end: int) -> Hit:
    return Hit("encoding.unread", UNREAD_POINTS, start, min(end, start + PASSAGE_CHARS // 2))


def _chance(points: float) -> float:
    return 1 / (1 + math.exp(EVEN_POINTS - points))
