"""Judge a text by its wording: a linear model over words and pairs of characters, learned from our own corpora.

It takes the attacks that no listed signal names, and takes points from texts that only talk about attacks. Its weights
are lines of policy/wording.tsv that anybody can read; `python -m policy.training.wording` makes that file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from ahocorasick_rs import AhoCorasick, MatchKind

from policy.budget import Check, no_budget
from policy.keywords import Found
from policy.normalise import Normalised
from policy.signals import Hit

WEIGHTS = Path(__file__).with_name("wording.tsv")
# A sentence or two; each is looked at twice, so that none is cut through the middle in both.
WINDOW, STEP = 192, 96
# The model may convict alone only where it is sure, and may never outweigh two clear signals.
MOST_POINTS, LEAST_POINTS = 4.4, -2.0
# Points per unit of log odds.
SCALE = 1.2
# Chosen by nested validation, with the score of INJ-02 in default.toml: `python -m policy.training.validation`.
SHIFT = 2.5
_BETWEEN = re.compile(r"[\W_]+")


class Wording:
    """A linear model: a bias and a weight, in log odds, for each feature of a text that is there or not."""

    def __init__(self, bias: float, weights: dict[str, float], *, shift: float = SHIFT) -> None:
        self.bias = bias
        self._shift = shift
        self.weights = weights
        self._of_classes = {name: weight for name, weight in weights.items() if name.startswith("<")}
        words = {name: weight for name, weight in weights.items() if not name.startswith("<")}
        self._weights = list(words.values())
        self._search = AhoCorasick(list(words), matchkind=MatchKind.Standard) if words else None

    def weight_of(self, feature: str) -> float:
        """Return what a feature weighs; nothing where the model does not know it."""
        return self.weights.get(feature, 0.0)

    def log_odds(self, letters: str, classes: Iterable[str] = ()) -> float:
        """Return the log odds that letters with words of these classes are of an attack."""
        weight = self.bias + sum(self._of_classes.get(pair, 0.0) for pair in class_features(classes))
        if self._search is None:
            return weight
        spaced = f" {_BETWEEN.sub(' ', letters)} "
        found = {number for number, _, _ in self._search.find_matches_as_indexes(spaced, overlapping=True)}
        return weight + sum(map(self._weights.__getitem__, sorted(found)))

    def find(
        self, seen: Normalised, words: Mapping[str, Sequence[Found]], *, check: Check = no_budget
    ) -> Iterator[Hit]:
        """Yield the passages whose wording speaks for or against an attack. Raises what `check` raises."""
        letters = seen.letters
        classes = _by_window(words)
        for start in range(0, max(1, len(letters) - WINDOW + STEP), STEP):
            check()
            end = min(start + WINDOW, len(letters))
            odds = SCALE * (self.log_odds(letters[start:end], classes[start // STEP]) + self._shift)
            points = min(MOST_POINTS, max(LEAST_POINTS, odds))
            if end > start and (points > 0.5 or (points < 0 and len(letters) <= WINDOW)):
                yield Hit("wording", round(points, 2), *seen.span(start, end))


def class_features(classes: Iterable[str]) -> list[str]:
    """Return a feature for each class of words that a text has. Pairs of classes were tried: they learn families by
    heart."""
    return [f"<{name}>" for name in sorted(classes)]


def _by_window(words: Mapping[str, Sequence[Found]]) -> dict[int, set[str]]:
    """Return which classes of words lie in each window."""
    found: dict[int, set[str]] = defaultdict(set)
    for name, places in words.items():
        for place in places:
            found[place.start // STEP].add(name)
            found[place.start // STEP - 1].add(name)
    return found


def read_wording(path: Path = WEIGHTS) -> Wording:
    """Return the model that a file holds: a line for each weight, the bias first."""
    rows = [
        line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    weights = {feature.replace("·", " "): float(weight) for weight, feature in rows}
    return Wording(weights.pop("(bias)"), weights)


@cache
def default_wording() -> Wording:
    """Return the model that comes with the portal."""
    return read_wording()


def features_of(letters: str) -> Sequence[str]:
    """Return the features of a text, each once, in order: one to three Latin words; two or three Han characters."""
    spaced = f" {_BETWEEN.sub(' ', letters)} "
    words = re.findall(r"[0-9a-z\u00c0-\u024f]+", spaced)
    found = [
        f" {' '.join(words[at : at + size])} " for size in (1, 2, 3) for at in range(len(words) - size + 1)
    ]
    for run in re.findall(r"[\u3400-\u9fff]+", spaced):
        found += [run[at : at + size] for size in (2, 3) for at in range(len(run) - size + 1)]
    return list(dict.fromkeys(found))
