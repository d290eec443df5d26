"""Show what an evaluation measured, beside another artefact's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from console.artifacts import Mark
from registry.comparing import ComparedRow, compare, latest_evaluation, results_of
from registry.evaluations import EvaluationResult, EvaluationState
from registry.evaluator import progress
from registry.figures import BY_KEY, Figure
from registry.models import ModelArtifact, Status
from registry.wording import in_words

HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Result:
    """One figure; without a verdict it is for information. `against` says how it does beside the other artefact."""

    label: str | Promise
    detail: str
    value: str
    other: str
    threshold: str
    verdict: Mark | None
    against: Mark | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The evaluation of an artefact that counts, beside the other's where there is one."""

    results: list[Result]
    finished_at: datetime | None
    missed: int
    other_label: str
    other_id: UUID | None
    is_other_in_use: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """An evaluation that came to nothing after the one that counts."""

    title: str
    text: str


DIFFERENCES = {
    "better": Mark("ok", gettext_lazy("better")),
    "worse": Mark("warn", gettext_lazy("worse")),
    "same": Mark("mute", gettext_lazy("no real difference")),
    "unlike": Mark("mute", gettext_lazy("measured otherwise")),
}


def read_evaluation(row: ModelArtifact, *, other: ModelArtifact | None) -> Evaluation | None:
    """Return the evaluation that counts, or None; the other's figures stand beside it if it was evaluated too."""
    stored = latest_evaluation(row)
    if stored is None:
        return None
    beside = other if other is not None and latest_evaluation(other) else None
    compared = {one.key: one for one in compare(row, beside).rows} if beside else {}
    results = results_of(stored)
    return Evaluation(
        results=[_result(result, compared.get(result.figure)) for result in results],
        finished_at=stored.ended_at,
        missed=sum(result.passed is False for result in results),
        other_label=beside.label if beside else "",
        other_id=beside.pk if beside else None,
        is_other_in_use=beside is not None and beside.status == Status.ACTIVE,
    )


def only_judged(evaluation: Evaluation | None) -> Evaluation | None:
    """Return the same without what is for information only."""
    if evaluation is None:
        return None
    judged = [result for result in evaluation.results if result.verdict is not None]
    return replace(evaluation, results=judged)


def read_attempt(row: ModelArtifact) -> Attempt | None:
    """Return how the newest evaluation came to nothing, if it did."""
    last = progress(row.pk)
    if last is None or last.state in {EvaluationState.RUNNING, EvaluationState.COMPLETE}:
        return None
    titles = {
        EvaluationState.FAILED: _("The last evaluation failed"),
        EvaluationState.STOPPED: _("The last evaluation was stopped"),
        EvaluationState.INTERRUPTED: _("The last evaluation was interrupted"),
    }
    done = _("%(done)d of %(total)d questions were judged. The next evaluation goes on from there.")
    failed = in_words(last.error) or _("The engine gave no reason.")
    text = failed if last.state == EvaluationState.FAILED else done % {"done": last.done, "total": last.total}
    return Attempt(titles[last.state], text)


def _result(result: EvaluationResult, compared: ComparedRow | None) -> Result:
    figure, second = BY_KEY[result.figure], compared.second if compared else None
    return Result(
        label=figure.label,
        detail=_detail(result),
        value=show_figure(figure.unit, result.value),
        other=show_figure(figure.unit, second.value) if second else "",
        threshold=_threshold(figure, result.threshold),
        verdict=_verdict(result),
        against=DIFFERENCES.get(compared.verdict) if compared else None,
    )


def _detail(result: EvaluationResult) -> str:
    if not result.corpus:
        return ""
    count = ngettext("%(n)d question", "%(n)d questions", result.count) % {"n": result.count}
    return f"{count} · {result.corpus_sha256[:HASH_DIGITS]}"


def _threshold(figure: Figure, threshold: float | None) -> str:
    if threshold is None:
        return ""
    if not figure.unit:
        return show_figure("", threshold)
    return f"{'≥' if figure.better == 'more' else '≤'} {show_figure(figure.unit, threshold)}"


def _verdict(result: EvaluationResult) -> Mark | None:
    if result.passed is None:
        return None
    return Mark("ok", _("kept")) if result.passed else Mark("warn", _("missed, needs a reason"))


def show_figure(unit: str, value: float) -> str:
    """Return a figure with its unit, as people read it; one without a unit is a yes or a no."""
    return _FORMATS[unit](value)


_FORMATS: dict[str, Callable[[float], str]] = {
    "": lambda value: pgettext("figure", "yes") if value else pgettext("figure", "no"),
    "%": lambda value: f"{value:.1f}%",
    "s": lambda value: _("%(n)s s") % {"n": f"{value:.1f}"},
    "ms": lambda value: _("%(n)s s") % {"n": f"{value / 1000:.2f}"},
    "tok/s": lambda value: _("%(n)s tok/s") % {"n": f"{value:.1f}"},
    "MiB": lambda value: f"{value:,.0f} MiB",
}
