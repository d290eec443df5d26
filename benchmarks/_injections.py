"""Measure the injection detector on families of attacks that signals and model were made without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from policy.injection import Detector
from policy.normalise import normalise
from policy.signals import read_table
from policy.training.wording import Example, model_of, read_examples

# As in policy/default.toml: from here on a question is flagged; from here on it is refused.
FLAGGED, BLOCKED = 0.7, 0.9
RISKY = frozenset({"security", "law", "medicine", "office"})


@dataclass(slots=True)
class Tally:
    """How many texts of each kind there were, how many looked like attacks, and how many would be refused."""

    texts: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    blocked: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, score: float) -> None:
        """Count a text."""
        self.texts[kind] += 1
        self.flagged[kind] += score >= FLAGGED
        self.blocked[kind] += score >= BLOCKED

    def rate(self, kinds: Sequence[str], *, of: str = "flagged") -> float:
        """Return what share of these kinds was found, in per cent."""
        counts: Counter[str] = getattr(self, of)
        return 100 * sum(counts[kind] for kind in kinds) / sum(self.texts[kind] for kind in kinds)


def leave_each_family_out(*, with_model: bool = True) -> tuple[Tally, Tally]:
    """Return how attacks and benign texts fared, each judged by a detector that was made without it.

    A family is left out with its signals, the words that only those use, and its examples; every twelfth benign text is
    left out with it. The words of the other classes were written with all families in mind: see docs/policy.md.
    """
    attacks, benign = Tally(), Tally()
    examples = read_examples()
    for family, held in _folds(examples):
        table = read_table(without={family})
        kept = [example for example in examples if example not in held]
        detector = Detector(table, model_of(kept, table) if with_model else None)
        for example in held:
            score = detector.score(example.text, normalise(example.text)).score
            (attacks if example.is_attack else benign).add(example.family, score)
    return attacks, benign


def _folds(examples: Sequence[Example]) -> Iterator[tuple[str, frozenset[Example]]]:
    families = sorted({example.family for example in examples if example.is_attack})
    benign = [example for example in examples if not example.is_attack]
    for number, family in enumerate(families):
        attacks = {example for example in examples if example.is_attack and example.family == family}
        yield family, frozenset(attacks | set(benign[number :: len(families)]))
