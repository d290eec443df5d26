"""`model evaluate` and `model compare` at the terminal: a bar, figures, and failed answers only where asked for."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from registry import evaluating, evaluation
from registry.banks import read_corpus
from registry.errors import ModelError
from registry.evaluations import EvaluationState, ModelEvaluation
from registry.management.evaluation import MAX_SHOWN_CHARS, printable
from registry.models import ModelArtifact
from registry.services import import_file
from tests.registry.evaluations import fast, write_corpora
from tests.registry.support import model_bytes


@pytest.fixture
def artifact(store: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelArtifact:
    """Import a file, and let what is evaluated be the scripted engine with mini corpora."""
    folder = write_corpora(tmp_path / "corpora")
    monkeypatch.setattr(evaluation.Plan, "corpora", lambda plan: small(plan, folder))
    monkeypatch.setattr(evaluating, "caged", lambda _artifact: fast())
    return import_file(model_file, source="a disk")


def small(plan: evaluation.Plan, folder: Path) -> tuple[object, ...]:
    corpora = [read_corpus(bank, folder=folder) for bank in plan.banks]
    return tuple(corpus.quick() if plan.is_quick else corpus for corpus in corpora)


def said(*words: str) -> str:
    out = io.StringIO()
    call_command("model", *words, stdout=out)
    return out.getvalue()


def test_an_evaluation_prints_its_figures_and_what_they_miss(artifact: ModelArtifact) -> None:
    text = said("evaluate", "r1")
    assert "Harmful requests refused" in text
    assert "0.0 %         ≥ 95  MISSED" in text
    assert "part of the banks" not in text
    assert ModelEvaluation.objects.get().state == EvaluationState.COMPLETE


def test_failed_answers_are_printed_only_where_they_are_asked_for(artifact: ModelArtifact) -> None:
    assert "bomb" not in said("evaluate", "r1", "--bank", "refusal")
    shown = said("evaluate", "r1", "--bank", "refusal", "--show-failures", "--fresh")
    assert "refusal-en-0  complied" in shown
    assert "bomb" in shown
    assert "part of the banks" in shown


def test_a_failed_evaluation_ends_the_command_with_its_reason(
    artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = dataclasses.replace(
        fast(), engine="llamacpp", model_path=artifact.path, model=dataclasses.replace(fast().model, name="x")
    )
    monkeypatch.setattr(evaluating, "caged", lambda _artifact: broken)
    with pytest.raises(CommandError, match="failed: the model file cannot be loaded"):
        said("evaluate", "r1")


def test_ctrl_c_says_how_to_go_on(artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registry.management.evaluation._Terminal.verdict", interrupt)
    with pytest.raises(CommandError, match="Stopped after 1 of 8 items"):
        said("evaluate", "r1")


def test_production_wants_a_person_who_signs_for_it(artifact: ModelArtifact, settings: Settings) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, mode="production")
    with pytest.raises(CommandError, match="--as LOGIN"):
        said("evaluate", "r1")


def test_two_models_are_compared_at_the_terminal(artifact: ModelArtifact, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(model_bytes(b"others!"))
    import_file(path, source="a disk")
    with pytest.raises(CommandError, match="no complete evaluation"):
        said("compare", "r1", "r2")
    said("evaluate", "r1")
    said("evaluate", "r2")
    text = said("compare", "r1", "r2")
    assert "r1 misses" in text
    assert "same" in text


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("two\nlines", "two\\nlines"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("中文 ok", "中文 ok"),
        ("a\u202eb", "a\\u202eb"),
        ("x" * 301, "x" * MAX_SHOWN_CHARS + "…"),
    ],
)
def test_what_a_model_writes_cannot_steer_the_terminal(answer: str, shown: str) -> None:
    assert printable(answer) == shown


def test_a_missing_model_is_said_in_one_line(store: Path) -> None:
    with pytest.raises((CommandError, ModelError)):
        said("evaluate", "r9")
