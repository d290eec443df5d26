"""Read what evaluations found: the one that counts, the thresholds that it missed, two artefacts side by side."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal

from django.utils.functional import Promise

from registry.banks import BANKS
from registry.errors import ModelError
from registry.evaluations import EvaluationResult, EvaluationState, ItemVerdict, ModelEvaluation
from registry.figures import BY_KEY, ORDER, RATES, Figure
from registry.models import ModelArtifact

Verdict = Literal["better", "worse", "same", "unlike", "missing"]
# Speeds and sizes vary by this much from run to run on the same machine, in our measurements.
TOLERANCE = 0.1
# Probability that so one-sided a difference comes about by chance.
CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Missed:
    """A figure that did not keep its threshold."""

    figure: Figure
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One figure of two evaluations. `verdict` is how the first does against the second.

    `same` is a difference that chance or noise explains; `unlike` was not measured in the same way, so that the numbers
    stand beside each other and mean nothing together.
    """

    key: str
    label: Promise
    unit: str
    first: EvaluationResult | None
    second: EvaluationResult | None
    threshold: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two evaluations side by side, each the last one that counts of its artefact."""

    first: ModelEvaluation
    second: ModelEvaluation
    rows: tuple[ComparedRow, ...]

    @property
    def better(self) -> int:
        """Return how many figures of the first are better."""
        return sum(row.verdict == "better" for row in self.rows)

    @property
    def worse(self) -> int:
        """Return how many figures of the first are worse."""
        return sum(row.verdict == "worse" for row in self.rows)


def latest_evaluation(artifact: ModelArtifact) -> ModelEvaluation | None:
    """Return the evaluation that counts: the newest that is complete, of all banks and not a quick look."""
    complete = artifact.evaluations.filter(state=EvaluationState.COMPLETE, is_quick=False)
    return next((row for row in complete if set(row.banks) == set(BANKS)), None)


def results_of(evaluation: ModelEvaluation) -> list[EvaluationResult]:
    """Return the figures in the order in which they are shown; those that the program no longer knows are left out."""
    known = evaluation.results.filter(figure__in=ORDER)
    return sorted(known, key=lambda result: ORDER[result.figure])


def missed_thresholds(artifact: ModelArtifact) -> list[Missed]:
    """Return what the evaluation that counts has missed. Raises ModelError where there is none."""
    evaluation = latest_evaluation(artifact)
    if evaluation is None:
        raise ModelError(f"{artifact} has no complete evaluation")
    return [
        Missed(BY_KEY[result.figure], result.value, result.threshold)
        for result in results_of(evaluation)
        if result.passed is False and result.threshold is not None
    ]


def compare(first: ModelArtifact, second: ModelArtifact) -> Comparison:
    """Return two artefacts side by side. Raises ModelError where one has no complete evaluation."""
    one, other = latest_evaluation(first), latest_evaluation(second)
    if one is None or other is None:
        raise ModelError(f"{first if one is None else second} has no complete evaluation")
    left, right = ({result.figure: result for result in results_of(row)} for row in (one, other))
    keys = sorted(left.keys() | right.keys(), key=ORDER.__getitem__)
    rows = tuple(_row(key, left.get(key), right.get(key), one=one, other=other) for key in keys)
    return Comparison(one, other, rows)


def _row(
    key: str,
    first: EvaluationResult | None,
    second: EvaluationResult | None,
    *,
    one: ModelEvaluation,
    other: ModelEvaluation,
) -> ComparedRow:
    figure, shown = BY_KEY[key], first or second
    return ComparedRow(
        key=key,
        label=figure.label,
        unit=figure.unit,
        first=first,
        second=second,
        threshold=shown.threshold if shown else None,
        verdict=_verdict(figure, first, second, one=one, other=other),
    )


def _verdict(
    figure: Figure,
    first: EvaluationResult | None,
    second: EvaluationResult | None,
    *,
    one: ModelEvaluation,
    other: ModelEvaluation,
) -> Verdict:
    if first is None or second is None:
        return "missing"
    if (first.corpus_sha256, first.count) != (second.corpus_sha256, second.count):
        return "unlike"
    if figure.bank is None:
        is_same = one.slots == other.slots and (one.engine, one.library) == (other.engine, other.library)
        return judge_measured(figure, first.value, second.value) if is_same else "unlike"
    language = figure.key.removeprefix(RATES[figure.bank]).removeprefix("_")
    won, lost = _discordant(one, other, bank=figure.bank, language=language)
    return judge_paired(won=won, lost=lost)


def judge_measured(figure: Figure, first: float, second: float) -> Verdict:
    """Compare two measured figures; what differs by less than TOLERANCE of the larger is the same."""
    if abs(first - second) <= TOLERANCE * max(abs(first), abs(second)):
        return "same"
    return "better" if (first > second) == (figure.better == "more") else "worse"


def judge_paired(*, won: int, lost: int) -> Verdict:
    """Compare two models by the items on which they differ: the exact sign test, both sides."""
    differing, fewer = won + lost, min(won, lost)
    tail = sum(comb(differing, k) for k in range(fewer + 1)) / 2**differing
    if min(1.0, 2 * tail) > CHANCE:
        return "same"
    return "better" if won > lost else "worse"


def _discordant(one: ModelEvaluation, other: ModelEvaluation, *, bank: str, language: str) -> tuple[int, int]:
    """Count the items that the first passed and the second failed, and the other way round."""
    first, second = (_passed(row, bank=bank, language=language) for row in (one, other))
    pairs = [(first[item], second[item]) for item in first.keys() & second.keys()]
    return pairs.count((True, False)), pairs.count((False, True))


def _passed(evaluation: ModelEvaluation, *, bank: str, language: str) -> dict[str, bool]:
    rows = ItemVerdict.objects.filter(evaluation=evaluation, bank=bank)
    if language:
        rows = rows.filter(language=language)
    return dict(rows.values_list("item", "passed"))
