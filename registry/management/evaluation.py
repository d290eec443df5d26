"""Evaluate and compare models at the terminal: the part of `manage.py model` that does."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from tqdm import tqdm

from accounts.models import User
from registry.banks import BANKS, Item
from registry.comparing import Comparison, results_of
from registry.evaluating import Brake, begin_evaluation, carry_out
from registry.evaluation import Plan
from registry.evaluations import EvaluationResult, EvaluationState, ModelEvaluation
from registry.figures import BY_KEY
from registry.judging import Verdict
from registry.models import ModelArtifact

MAX_SHOWN_CHARS = 300


def add_evaluate_arguments(parser: Any) -> None:
    """Add what `model evaluate` takes beside the digest."""
    parser.add_argument(
        "--quick", action="store_true", help="a look at a fifth of each bank; counts for nothing"
    )
    parser.add_argument("--bank", action="append", choices=BANKS, help="only this bank; may be given again")
    parser.add_argument("--fresh", action="store_true", help="do not go on with one that was stopped")
    parser.add_argument(
        "--show-failures", action="store_true", help="print failed answers, here and nowhere else"
    )


def evaluate(
    artifact: ModelArtifact, options: dict[str, Any], *, by: User | None, out: OutputWrapper
) -> None:
    """Evaluate with a progress bar; Ctrl-C stops and keeps what is done. Raises CommandError unless it is complete."""
    plan = Plan(banks=tuple(options["bank"] or BANKS), is_quick=bool(options["quick"]))
    begun = begin_evaluation(artifact, by=by, plan=plan, resume=not options["fresh"])
    stored = begun.stored
    with tqdm(total=stored.total, initial=stored.done, unit="item", disable=None) as bar:
        try:
            carry_out(
                begun, observer=_Terminal(bar, out if options["show_failures"] else None), brake=Brake()
            )
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped after {stored.done} of {stored.total} items; the same command goes on from there."
            ) from None
    print_results(stored, out)
    if stored.state != EvaluationState.COMPLETE:
        raise CommandError(f"The evaluation {stored.state}: {stored.error or 'see the log'}")


def print_results(evaluation: ModelEvaluation, out: OutputWrapper) -> None:
    """Print the figures with threshold and verdict."""
    for result in results_of(evaluation):
        bound = _bound(result)
        mark = {True: "kept", False: "MISSED", None: ""}[result.passed]
        out.write(f"{BY_KEY[result.figure].label!s:<48} {_shown(result):>14} {bound:>12}  {mark}".rstrip())
    if evaluation.is_quick or set(evaluation.banks) != set(BANKS):
        out.write("A part of the banks only: the model is not evaluated by this.")


def print_comparison(comparison: Comparison, out: OutputWrapper) -> None:
    """Print two artefacts side by side."""
    first, second = comparison.first.artifact, comparison.second.artifact
    out.write(f"{'':<48} {first.label:>14} {second.label:>14} {'threshold':>12}")
    for row in comparison.rows:
        shown = [_shown(result) if result else "-" for result in (row.first, row.second)]
        bound = _bound(row.first or row.second)
        out.write(f"{row.label!s:<48} {shown[0]:>14} {shown[1]:>14} {bound:>12}  {row.verdict}")
    for label, missed in ((first.label, comparison.first), (second.label, comparison.second)):
        out.write(f"{label} misses {missed.results.filter(passed=False).count()} thresholds")
    out.write(f"{first.label} is better in {comparison.better} figures and worse in {comparison.worse}")


class _Terminal:
    """Show an evaluation as a bar, and failed answers above it where they were asked for."""

    def __init__(self, bar: Any, out: OutputWrapper | None) -> None:
        self._bar = bar
        self._out = out

    def step(self, *, phase: str, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.set_description(phase or "done", refresh=False)
        self._bar.total, self._bar.n = total, done
        self._bar.refresh()

    def verdict(self, item: Item, answer: str, verdict: Verdict) -> None:
        """Print a failed answer."""
        if self._out is not None and not verdict.passed:
            with self._bar.external_write_mode():
                self._out.write(f"{item.id}  {verdict.reason}  {printable(answer)}")


def printable(text: str, *, limit: int = MAX_SHOWN_CHARS) -> str:
    """Return the beginning of a text in one line, without what a terminal would obey: it may be anybody's."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:limit])
    return shown + ("…" if len(text) > limit else "")


def _shown(result: EvaluationResult) -> str:
    return f"{result.value:.1f} {result.unit}".strip()


def _bound(result: EvaluationResult | None) -> str:
    if result is None or result.threshold is None:
        return ""
    return f"{'≥' if BY_KEY[result.figure].better == 'more' else '≤'} {result.threshold:.0f}"
