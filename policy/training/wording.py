"""Learn the weights of the wording model from policy/corpora: `python -m policy.training.wording` writes them.

Logistic regression with AdaGrad and L2, in plain Python and in a fixed order, so that the same corpora give the same
file. Features that fewer than three texts have are left out, and weights that round to nothing.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from policy.normalise import normalise
from policy.signals import SignalTable, default_table
from policy.wording import WEIGHTS, Wording, class_features, features_of

CORPORA = Path(__file__).parent.parent / "corpora"
ROUNDS, RATE, DECAY = 12, 0.25, 0.002
SMALLEST = 0.05
FEWEST_TEXTS = 3
# There are more than three benign texts to an attack.
ATTACK_WEIGHT = 3.0


@dataclass(frozen=True, slots=True)
class Example:
    """A text of a corpus."""

    text: str
    is_attack: bool
    family: str
    language: str


def read_examples(folder: Path = CORPORA) -> list[Example]:
    """Return the texts of all corpora, in a fixed order."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found.append(Example(row["text"], row["label"] == "attack", row["family"], row["language"]))
    return found


def learn(examples: Iterable[Example], table: SignalTable) -> tuple[float, dict[str, float]]:
    """Return bias and weights, rounded to hundredths."""
    rows = [(_features(example.text, table), example.is_attack) for example in examples]
    counts = Counter(feature for features, _ in rows for feature in features)
    kept = [([f for f in features if counts[f] >= FEWEST_TEXTS], is_attack) for features, is_attack in rows]
    bias, weights = _descend(kept)
    rounded = {
        feature: round(weight, 2) for feature, weight in sorted(weights.items()) if abs(weight) >= SMALLEST
    }
    return round(bias, 2), rounded


def _features(text: str, table: SignalTable) -> list[str]:
    seen = normalise(text)
    return [*features_of(seen.letters), *class_features(table.words_in(seen))]


def _descend(rows: Sequence[tuple[list[str], bool]]) -> tuple[float, dict[str, float]]:
    weights: dict[str, float] = {}
    squares: dict[str, float] = {}
    bias, bias_square = 0.0, 1e-6
    order = _mixed(len(rows))
    for _ in range(ROUNDS):
        for at in order:
            features, is_attack = rows[at]
            odds = bias + sum(weights.get(feature, 0.0) for feature in features)
            error = (1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))) - is_attack
            error *= ATTACK_WEIGHT if is_attack else 1.0
            bias_square += error * error
            bias -= RATE * error / math.sqrt(bias_square)
            for feature in features:
                weight = weights.get(feature, 0.0)
                slope = error + DECAY * weight
                squares[feature] = squares.get(feature, 1e-2) + slope * slope
                weights[feature] = weight - RATE * slope / math.sqrt(squares[feature])
    return bias, weights


def _mixed(count: int) -> list[int]:
    """Return an order in which kinds of texts alternate: steps of the golden ratio."""
    return sorted(range(count), key=lambda at: (at * 0.6180339887498949) % 1.0)


def model_of(examples: Iterable[Example], table: SignalTable) -> Wording:
    """Return a model that was learned from these texts."""
    return Wording(*learn(examples, table))


def main() -> None:
    """Write the weights."""
    bias, weights = learn(read_examples(), default_table())
    lines = [
        f"{bias}\t(bias)",
        *(f"{weight}\t{feature.replace(' ', '·')}" for feature, weight in weights.items()),
    ]
    WEIGHTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
