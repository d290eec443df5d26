"""Run labelled texts through the rules, and count what was caught and what was not.

A corpus is JSON lines: `text`, `label` (`benign`, or anything else for what should be caught), and optionally
`category` and `family`. Each text takes the path that a question takes, limits and time budget included. Figures hold
no text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import PortalError
from policy.budget import no_budget
from policy.errors import ConsentInPlace, PromptStopped
from policy.ruleset import STRENGTH, Action, RuleSet
from policy.services import ClearedPrompt, clear_prompt

SEED_FOLDER = Path(__file__).with_name("corpora")
BENIGN = "benign"
# Stands for the category of the rule that decided where none did.
LET_THROUGH = "-"
MAX_CORPUS_BYTES = 256 << 20


class CorpusError(ValueError):
    """A corpus cannot be read; the text names file and line."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled text."""

    text: str
    is_benign: bool
    category: str
    family: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules did with a sample: the action, or the code of a refusal, and the category of the rule."""

    action: str
    category: str


def read_corpus(path: Path) -> Iterator[Sample]:
    """Yield the samples of a file. Raises CorpusError."""
    try:
        if path.stat().st_size > MAX_CORPUS_BYTES:
            raise CorpusError(f"{path.name}: is larger than {MAX_CORPUS_BYTES >> 20} MiB")
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _sample(line, where=f"{path.name}, line {number}")
    except OSError as error:
        raise CorpusError(f"{path.name}: {error.strerror}") from error


def seed_corpus() -> list[Sample]:
    """Return the samples that come with the portal."""
    return [sample for path in sorted(SEED_FOLDER.glob("*.jsonl")) for sample in read_corpus(path)]


def judge(sample: Sample, rules: RuleSet) -> Verdict:
    """Return what becomes of a text that somebody sends."""
    categories = {rule.code: rule.category for rule in rules.rules}
    try:
        cleared = clear_prompt(sample.text, rules)
    except PromptStopped as stopped:
        rule = stopped.decision.rule
        return Verdict(
            "consent" if isinstance(stopped, ConsentInPlace) else "block", rule.category if rule else ""
        )
    except PortalError as error:
        return Verdict(error.code, "")
    return _cleared(cleared, categories)


@dataclass(slots=True)
class Figures:
    """What was counted. `expected` and `caught` go by the category of the samples, `alarms` and `benign` by family."""

    expected: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    benign: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)

    def add(self, sample: Sample, verdict: Verdict, *, at_least: Action) -> None:
        """Count one sample; it counts as caught from the action `at_least` on, and where it was refused otherwise."""
        is_caught = STRENGTH.get(verdict.action, 99) >= STRENGTH[at_least]  # type: ignore[call-overload]
        self.actions[verdict.action] += 1
        decided = (verdict.category or verdict.action) if is_caught else LET_THROUGH
        if sample.is_benign:
            self.benign[sample.family] += 1
            self.alarms[sample.family] += is_caught
            self.confusion[BENIGN, decided] += 1
        else:
            self.expected[sample.category] += 1
            self.caught[sample.category] += is_caught
            self.confusion[sample.category, decided] += 1

    @property
    def recall(self) -> float:
        """Return which share of what should be caught was."""
        return share(self.caught.total(), self.expected.total())

    @property
    def precision(self) -> float:
        """Return which share of what was caught should be."""
        return share(self.caught.total(), self.caught.total() + self.alarms.total())

    @property
    def false_positives(self) -> float:
        """Return which share of what is benign was caught."""
        return share(self.alarms.total(), self.benign.total(), empty=0.0)

    def precision_of(self, category: str) -> float:
        """Return which share of what the rules of a category decided was no benign text."""
        decided = [(name, count) for (name, found), count in self.confusion.items() if found == category]
        wrong = sum(count for name, count in decided if name == BENIGN)
        total = sum(count for _name, count in decided)
        return share(total - wrong, total)

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the store and the page."""
        return {
            "texts": self.actions.total(),
            "recall": round(self.recall, 4),
            "precision": round(self.precision, 4),
            "false_positives": round(self.false_positives, 4),
            "actions": dict(sorted(self.actions.items())),
            "categories": [
                {"name": name, "texts": count, "caught": self.caught[name]}
                for name, count in sorted(self.expected.items())
            ],
            "benign": [
                {"name": name, "texts": count, "caught": self.alarms[name]}
                for name, count in sorted(self.benign.items())
            ],
            "confusion": [
                {"expected": expected, "decided": decided, "texts": count}
                for (expected, decided), count in sorted(self.confusion.items())
            ],
        }


def measure(
    samples: Iterable[Sample],
    rules: RuleSet,
    *,
    at_least: Action = "flag",
    tick: Callable[[], None] = no_budget,
) -> Figures:
    """Return the figures of a corpus. `tick` is called before each text; what it raises ends the measurement."""
    figures = Figures()
    for sample in samples:
        tick()
        figures.add(sample, judge(sample, rules), at_least=at_least)
    return figures


def share(part: float, whole: float, *, empty: float = 1.0) -> float:
    """Return a part of a whole, `empty` where there is no whole."""
    return part / whole if whole else empty


def _cleared(cleared: ClearedPrompt, categories: dict[str, str]) -> Verdict:
    for action, codes in (("redact", cleared.redacted_by), ("flag", cleared.flagged_by)):
        if codes:
            return Verdict(action, categories[codes[0]])
    return Verdict("allow", "")


def _sample(line: bytes, *, where: str) -> Sample:
    try:
        row = json.loads(line)
        text, label = row["text"], row["label"]
        category, family = row.get("category", ""), row.get("family", "")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{where}: is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: is not JSON") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CorpusError(f"{where}: needs text and label") from error
    if not all(isinstance(value, str) for value in (text, label, category, family)):
        raise CorpusError(f"{where}: text, label, category and family are texts")
    return Sample(text, label == BENIGN, category or label, family or label)
