"""Measure the injection detector on families of attacks that signals, model and numbers were made without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from policy.injection import Detector
from policy.normalise import normalise
from policy.signals import read_table
from policy.training.validation import Choice, nested
from policy.training.wording import read_examples

# As in policy/default.toml: from here on a question is noted where nothing else is chosen; from here on it is refused.
FLAGGED, BLOCKED = 0.74, 0.9


@dataclass(slots=True)
class Tally:
    """Which texts of each kind were found, and which would be refused."""

    flagged: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    blocked: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, scores: Sequence[float], *, threshold: float) -> None:
        """Count texts."""
        self.flagged[kind] += [score >= threshold for score in scores]
        self.blocked[kind] += [score >= BLOCKED for score in scores]

    def rate(self, kinds: Sequence[str], *, of: str = "flagged") -> float:
        """Return what share of these kinds was found, in per cent."""
        counts: dict[str, list[bool]] = getattr(self, of)
        hits = [hit for kind in kinds for hit in counts[kind]]
        return 100 * sum(hits) / len(hits)


def validate() -> tuple[Tally, list[Choice]]:
    """Return how texts fared that were left out, and what was chosen for each family without it."""
    tally, choices = Tally(), []
    for _family, choice, scores in nested(read_examples()):
        choices.append(choice)
        for kind, values in scores.of.items():
            tally.add(kind, values, threshold=choice.threshold)
    return tally, choices


def signals_alone() -> Tally:
    """Return how the attacks fared by the signals of the other families, without a model."""
    tally = Tally()
    examples = [example for example in read_examples() if example.is_attack]
    for family in sorted({example.family for example in examples}):
        detector = Detector(read_table(without={family} - {"encoding"}))
        held = [example.text for example in examples if example.family == family]
        scores = [detector.score(text, normalise(text)).score for text in held]
        tally.add(family, scores, threshold=FLAGGED)
    return tally
