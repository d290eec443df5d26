"""Choose the detector's two numbers, and say how good the choice is: `python -m policy.training.validation`.

Both numbers, how far the model leans towards an attack (`SHIFT`) and from which score on a question is noted, are
chosen by nested validation. An outer fold leaves a family of attacks out, with its signals and a part of the benign
texts; inner folds leave out a group of the other families each, with a part of the other benign texts. Only what the
inner folds leave out chooses; the outer fold is judged once, by the chosen numbers, and its figures are the ones to
report. Decoding stays on in every fold: it is how texts are read, not what is known about a family.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from policy.injection import Detector
from policy.normalise import normalise
from policy.signals import SignalTable, read_table
from policy.training.wording import Example, model_of, read_examples
from policy.wording import Wording

INNER_FOLDS = 5
SHIFTS = (1.5, 2.0, 2.5, 3.0, 3.5)
# What a threshold has to leave of the goals of false alarms: the folds that choose are small.
MARGIN = 0.75
RISKY = ("security", "law", "medicine", "office")
# Kinds of benign texts, and the false alarms among them that are allowed, in per cent.
LIMITS: Mapping[str, tuple[tuple[str, ...], float]] = {
    "chat": (("chat",), 1.0),
    "law text": (("statute",), 0.5),
    "risky-looking": (RISKY, 3.0),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """How far the model leans, and the score from which on a question is noted."""

    shift: float
    threshold: float


@dataclass(slots=True)
class Scores:
    """Scores of texts by their kind: a family of attacks, or what benign texts are about."""

    of: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def rate(self, kinds: Sequence[str], threshold: float) -> float:
        """Return what share of the texts of these kinds reaches the threshold, in per cent."""
        scores = [score for kind in kinds for score in self.of.get(kind, ())]
        return 100 * sum(score >= threshold for score in scores) / max(1, len(scores))

    def lowest_threshold(self) -> float:
        """Return the lowest threshold that keeps false alarms within the goals, less the margin."""
        steps = sorted({score for kinds, _ in LIMITS.values() for kind in kinds for score in self.of[kind]})
        for step in (0.5, *(step + 1e-6 for step in steps if step >= 0.5)):
            if all(self.rate(kinds, step) <= MARGIN * limit for kinds, limit in LIMITS.values()):
                return step
        return 1.0


def nested(examples: Sequence[Example]) -> Iterator[tuple[str, Choice, Scores]]:
    """Yield each outer fold: the family left out, what the inner folds chose, and scores of what was left out."""
    families = families_of(examples)
    for number, family in enumerate(families):
        held, kept = split(examples, {family}, part=number, parts=len(families))
        choice = choose(kept, without={family})
        yield (
            family,
            choice,
            score_left_out(kept, held, without={family}, shifts=(choice.shift,))[choice.shift],
        )


def choose(examples: Sequence[Example], *, without: set[str]) -> Choice:
    """Return the choice that finds most of what inner folds leave out, with false alarms within the goals."""
    families = families_of(examples)
    found = {shift: Scores() for shift in SHIFTS}
    for fold in range(INNER_FOLDS):
        group = set(families[fold::INNER_FOLDS])
        held, kept = split(examples, group, part=fold, parts=INNER_FOLDS)
        for shift, scores in score_left_out(kept, held, without=without | group, shifts=SHIFTS).items():
            for kind, values in scores.of.items():
                found[shift].of[kind] += values
    choices = [Choice(shift, scores.lowest_threshold()) for shift, scores in found.items()]
    return max(choices, key=lambda choice: found[choice.shift].rate(families, choice.threshold))


def score_left_out(
    kept: Sequence[Example], held: Sequence[Example], *, without: set[str], shifts: Sequence[float]
) -> dict[float, Scores]:
    """Return, by shift, the scores of texts that a detector made of the others gives."""
    table = read_table(without=without - {"encoding"})
    learned = model_of(kept, table)
    return {shift: _score(held, table, learned, shift=shift) for shift in shifts}


def families_of(examples: Sequence[Example]) -> list[str]:
    """Return the families of attacks, in order."""
    return sorted({example.family for example in examples if example.is_attack})


def split(
    examples: Sequence[Example], families: set[str], *, part: int, parts: int
) -> tuple[list[Example], list[Example]]:
    """Return what is left out, those families and one part of the benign texts, and the rest."""
    counted: Counter[str] = Counter()
    held: list[Example] = []
    kept: list[Example] = []
    for example in examples:
        at = counted[example.family]
        counted[example.family] += 1
        is_held = example.family in families if example.is_attack else at % parts == part
        (held if is_held else kept).append(example)
    return held, kept


def _score(held: Sequence[Example], table: SignalTable, learned: Wording, *, shift: float) -> Scores:
    detector = Detector(table, Wording(learned.bias, learned.weights, shift=shift))
    scores = Scores()
    for example in held:
        scores.of[example.family].append(detector.score(example.text, normalise(example.text)).score)
    return scores


def main() -> None:
    """Print each outer fold, the sums, and the choice that all families together lead to."""
    examples = read_examples()
    hits: dict[str, list[bool]] = defaultdict(list)
    for family, choice, scores in nested(examples):
        for kind, values in scores.of.items():
            hits[kind] += [value >= choice.threshold for value in values]
        found = 100 * sum(hits[family]) / len(hits[family])
        sys.stdout.write(
            f"{family:12} {found:5.1f} %  shift {choice.shift}  threshold {choice.threshold:.3f}\n"
        )
        sys.stdout.flush()
    for name, kinds in [
        ("recall", families_of(examples)),
        *((name, kinds) for name, (kinds, _) in LIMITS.items()),
    ]:
        all_of = [hit for kind in kinds for hit in hits[kind]]
        sys.stdout.write(f"{name:14} {100 * sum(all_of) / len(all_of):5.2f} % of {len(all_of)}\n")
    sys.stdout.write(f"for all: {choose(examples, without=set())}\n")


if __name__ == "__main__":
    main()
