"""A model is measured and questioned in its cage; what was done is kept, and only the whole counts."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction
from pytest_django import Settings

from accounts.models import User
from audit.models import AuditEvent
from common.access import PermissionMissing
from inference.engine import LOAD_ERRORS
from registry import measuring
from registry.banks import BANKS
from registry.comparing import compare, latest_evaluation, missed_thresholds
from registry.errors import EvaluationRuns, ModelError, ReasonNeeded, WrongStatus
from registry.evaluating import Brake, begin_evaluation, carry_out, is_locked, settle_interrupted
from registry.evaluation import Plan, caged
from registry.evaluations import EvaluationResult, EvaluationState, ItemVerdict, ModelEvaluation
from registry.evaluator import Evaluator, progress, stop_evaluation
from registry.figures import FIGURES, RATES
from registry.models import ModelArtifact, Status
from registry.services import import_file, retire, submit
from tests.conftest import Cast
from tests.registry.evaluations import Notes, fast, run, write_corpora
from tests.registry.support import model_bytes


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(folder=write_corpora(tmp_path / "corpora"))


@pytest.fixture
def artifact(store: Path, model_file: Path) -> ModelArtifact:
    return import_file(model_file, source="a disk")


@pytest.fixture
def starter(
    store: Path, starter_model: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> ModelArtifact:
    """Import the real starter model, to be measured with little."""
    settings.PORTAL = dataclasses.replace(settings.PORTAL, engine="llamacpp", slots=2, context_tokens=1024)
    monkeypatch.setattr(measuring, "SPEED_PROMPTS", measuring.SPEED_PROMPTS[:1])
    monkeypatch.setattr(measuring, "LONG_PROMPTS", ("How many are seven and five?",))
    return import_file(starter_model, source="the test cache")


def figures(evaluation: ModelEvaluation) -> dict[str, EvaluationResult]:
    return {result.figure: result for result in evaluation.results.all()}


def at(moment: int, act: Callable[[], None]) -> Callable[[int], None]:
    """Return what acts after that many verdicts."""

    def look(count: int) -> None:
        if count == moment:
            act()

    return look


# --- the real model ----------------------------------------------------------------------------------------------
@pytest.mark.model
def test_a_real_model_gets_every_figure_with_versions_and_no_stored_answer(
    starter: ModelArtifact, tmp_path: Path
) -> None:
    plan, notes = Plan(folder=write_corpora(tmp_path / "corpora")), Notes()
    evaluation = run(starter, plan, notes=notes)
    found = figures(evaluation)
    assert evaluation.state == EvaluationState.COMPLETE
    assert notes.phases == ["load", "speed", *BANKS, ""]
    assert found.keys() == {figure.key for figure in FIGURES}
    assert found["loads"].passed
    assert found["decode_tps"].value > 0
    assert 50 < found["peak_memory_mib"].value < found["address_space_mib"].value
    assert evaluation.corpora == {corpus.name: corpus.sha256 for corpus in plan.corpora()}
    assert {found[RATES[bank]].corpus_sha256 for bank in BANKS} == set(evaluation.corpora.values())
    assert evaluation.library.startswith("xllamacpp")
    starter.refresh_from_db()
    assert starter.status == Status.EVALUATED
    assert starter.thresholds_missed == len(missed_thresholds(starter))
    assert any(len(answer) > 8 for answer in notes.answers)
    kept = "".join(
        str(list(table.objects.values())) for table in (ModelEvaluation, EvaluationResult, ItemVerdict)
    )
    assert not any(answer in kept for answer in notes.answers if len(answer) > 8)


@pytest.mark.model
def test_two_runs_of_the_same_corpus_say_the_same(starter: ModelArtifact, tmp_path: Path) -> None:
    plan = Plan(banks=("language",), folder=write_corpora(tmp_path / "corpora", tokens=16))
    first, second = (
        list(run(starter, plan).verdicts.values_list("item", "passed", "answer_hash")) for _ in range(2)
    )
    assert first == second
    assert len({answer_hash for _, _, answer_hash in first}) > 1


@pytest.mark.model
def test_a_file_that_does_not_load_fails_and_says_so(
    artifact: ModelArtifact, settings: Settings, plan: Plan
) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, engine="llamacpp")
    evaluation = run(artifact, plan)
    assert evaluation.state == EvaluationState.FAILED
    assert evaluation.error == "the model file cannot be loaded"
    assert {key: result.passed for key, result in figures(evaluation).items()} == {"loads": False}
    artifact.refresh_from_db()
    assert artifact.status == Status.IMPORTED
    with pytest.raises(ModelError):
        missed_thresholds(artifact)


def test_a_model_is_evaluated_in_the_cage_of_the_settings_and_stands_back(
    artifact: ModelArtifact, settings: Settings
) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, engine="llamacpp", slots=3)
    config = caged(artifact)
    assert (config.sandbox, config.slots, config.niceness) == (settings.PORTAL.sandbox, 3, 19)
    assert config.model_path == artifact.path


def test_the_scripted_engine_evaluates_nothing(artifact: ModelArtifact) -> None:
    with pytest.raises(ModelError):
        caged(artifact)


# --- stopping and going on ---------------------------------------------------------------------------------------
def test_a_stop_keeps_what_was_done_and_the_next_one_goes_on_from_there(
    artifact: ModelArtifact, plan: Plan
) -> None:
    brake = Brake()
    first = run(artifact, plan, config=fast(), brake=brake, notes=Notes(at(3, brake.pull)))
    kept = list(first.verdicts.values_list("pk", "answer_hash"))
    assert (first.state, first.done, len(kept)) == (EvaluationState.STOPPED, 3, 3)
    assert RATES["refusal"] in figures(first)
    notes = Notes()
    second = run(artifact, plan, config=fast(), notes=notes)
    assert second.pk == first.pk
    assert (second.state, second.done, len(notes.verdicts)) == (EvaluationState.COMPLETE, 8, 5)
    assert list(second.verdicts.values_list("pk", "answer_hash"))[:3] == kept


def test_a_fresh_one_does_not_go_on_and_neither_does_one_with_another_corpus(
    artifact: ModelArtifact, plan: Plan, tmp_path: Path
) -> None:
    brake = Brake()
    first = run(artifact, plan, config=fast(), brake=brake, notes=Notes(lambda _: brake.pull()))
    other = run(artifact, Plan(folder=write_corpora(tmp_path / "other", tokens=9)), config=fast())
    assert other.pk != first.pk
    assert other.done == 8
    assert run(artifact, plan, config=fast(), resume=False).pk not in {first.pk, other.pk}


def test_ctrl_c_keeps_what_was_done_and_frees_the_lock(artifact: ModelArtifact, plan: Plan) -> None:
    def interrupt(count: int) -> None:
        if count == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(artifact, plan, config=fast(), notes=Notes(interrupt))
    evaluation = ModelEvaluation.objects.get()
    assert (evaluation.state, evaluation.done) == (EvaluationState.STOPPED, 2)
    assert not is_locked()


def test_a_stop_asked_for_by_another_process_is_heard(artifact: ModelArtifact, plan: Plan) -> None:
    notes = Notes(at(2, lambda: stop_evaluation(artifact.pk, by=None)))
    evaluation = run(artifact, plan, config=fast(), notes=notes)
    assert (evaluation.state, evaluation.done) == (EvaluationState.STOPPED, 2)


def test_what_a_dead_process_left_running_is_marked_interrupted(artifact: ModelArtifact, plan: Plan) -> None:
    begun = begin_evaluation(artifact, by=None, plan=plan, config=fast())
    assert settle_interrupted() == 0
    seen = progress(artifact.pk)
    assert seen is not None
    assert seen.is_running
    begun.lock.close()  # As the kernel does when a process dies.
    seen = progress(artifact.pk)
    assert seen is not None
    assert seen.state == EvaluationState.INTERRUPTED
    assert settle_interrupted() == 1
    begun.stored.refresh_from_db()
    assert begun.stored.state == EvaluationState.INTERRUPTED
    assert begun.stored.ended_at is not None


def test_only_one_evaluation_runs_in_an_installation(artifact: ModelArtifact, plan: Plan) -> None:
    begun = begin_evaluation(artifact, by=None, plan=plan, config=fast())
    try:
        with pytest.raises(EvaluationRuns):
            begin_evaluation(artifact, by=None, plan=plan, config=fast())
    finally:
        begun.lock.close()
    assert ModelEvaluation.objects.count() == 1


# --- what counts -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("change", [{"is_quick": True}, {"banks": ("refusal", "language")}])
def test_a_part_makes_no_model_evaluated(
    artifact: ModelArtifact, plan: Plan, change: dict[str, object]
) -> None:
    evaluation = run(artifact, dataclasses.replace(plan, **change), config=fast())  # type: ignore[arg-type]
    assert evaluation.state == EvaluationState.COMPLETE
    artifact.refresh_from_db()
    assert artifact.status == Status.IMPORTED
    assert latest_evaluation(artifact) is None


def test_missed_thresholds_are_listed_and_ask_for_a_reason(
    artifact: ModelArtifact, plan: Plan, cast: Cast
) -> None:
    run(artifact, plan, config=fast())
    missed = {miss.figure.key: miss.threshold for miss in missed_thresholds(artifact)}
    assert missed["refusal_rate"] == 95
    assert "wrong_refusal_rate" not in missed
    artifact.refresh_from_db()
    assert artifact.thresholds_missed == len(missed)
    with pytest.raises(ReasonNeeded):
        submit(artifact, by=cast.operator)
    submit(artifact, by=cast.operator, reason="for trials only")


def test_every_end_stands_in_the_audit_log(artifact: ModelArtifact, plan: Plan) -> None:
    brake = Brake()
    run(artifact, plan, config=fast(), brake=brake, notes=Notes(lambda _: brake.pull()))
    run(artifact, dataclasses.replace(plan, is_quick=True), config=fast())
    run(artifact, plan, config=fast())
    events = AuditEvent.objects.filter(action="model.evaluate").order_by("seq")
    assert list(events.values_list("status", "outcome")) == [(499, "ok"), (206, "ok"), (200, "ok")]
    assert {event.model_digest for event in events} == {artifact.sha256}


@pytest.mark.parametrize("name", ["member", "admin", "officer", "auditor"])
def test_only_who_manages_models_starts_or_stops_one(
    artifact: ModelArtifact, plan: Plan, cast: Cast, name: str
) -> None:
    person: User = getattr(cast, name)
    with pytest.raises(PermissionMissing):
        begin_evaluation(artifact, by=person, plan=plan, config=fast())
    with pytest.raises(PermissionMissing):
        stop_evaluation(artifact.pk, by=person)


def test_a_retired_model_and_a_changed_file_are_not_evaluated(artifact: ModelArtifact, plan: Plan) -> None:
    artifact.path.chmod(0o644)
    artifact.path.write_bytes(b"something else")
    with pytest.raises(ModelError):
        begin_evaluation(artifact, by=None, plan=plan, config=fast())
    artifact.path.unlink()
    retire(artifact, by=None, reason="broken")
    with pytest.raises(WrongStatus):
        begin_evaluation(artifact, by=None, plan=plan, config=fast())


def test_a_file_that_changes_after_the_start_is_not_loaded_and_the_model_stops(
    artifact: ModelArtifact, settings: Settings, plan: Plan
) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, engine="llamacpp")
    begun = begin_evaluation(artifact, by=None, plan=plan)
    artifact.path.chmod(0o644)
    artifact.path.write_bytes(b"something else")
    evaluation = carry_out(begun, observer=Notes(), brake=Brake())
    assert evaluation.error == LOAD_ERRORS["model_changed"]
    artifact.refresh_from_db()
    assert artifact.file_state == "mismatch"
    assert AuditEvent.objects.filter(action="model.mismatch").count() == 1


def test_a_complete_evaluation_keeps_its_figures_and_verdicts(artifact: ModelArtifact, plan: Plan) -> None:
    evaluation = run(artifact, plan, config=fast())
    result, verdict = evaluation.results.latest("pk"), evaluation.verdicts.latest("pk")
    late = EvaluationResult(evaluation=evaluation, figure="late", value=1)
    before = list(evaluation.results.values_list("figure", "value"))
    changes: tuple[Callable[[], object], ...] = (
        lambda: evaluation.results.update(value=100),
        lambda: evaluation.verdicts.update(passed=True),
        lambda: ModelEvaluation.objects.update(state="stopped"),
        result.delete,
        verdict.delete,
        evaluation.delete,
        late.save,
    )
    for change in changes:
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert list(evaluation.results.values_list("figure", "value")) == before


# --- side by side ------------------------------------------------------------------------------------------------
def test_two_artefacts_stand_side_by_side_and_are_judged_only_where_they_are_alike(
    artifact: ModelArtifact, plan: Plan, tmp_path: Path
) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(model_bytes(b"others!"))
    other = import_file(path, source="a disk")
    run(artifact, plan, config=fast())
    run(other, plan, config=fast())
    rows = {row.key: row for row in compare(artifact, other).rows}
    assert rows["refusal_rate"].verdict == "same"
    assert rows["refusal_rate"].threshold == 95
    changed = Plan(folder=write_corpora(tmp_path / "changed", tokens=9))
    run(other, changed, config=fast(), resume=False)
    rows = {row.key: row for row in compare(artifact, other).rows}
    assert {rows[key].verdict for key in RATES.values()} == {"unlike"}


def test_nothing_is_compared_with_what_was_not_evaluated(artifact: ModelArtifact, plan: Plan) -> None:
    run(artifact, dataclasses.replace(plan, is_quick=True), config=fast())
    with pytest.raises(ModelError):
        compare(artifact, artifact)


# --- within the server -------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_the_server_evaluates_beside_its_work_and_shows_how_far_it_is(
    artifact: ModelArtifact, plan: Plan, cast: Cast
) -> None:
    evaluator = Evaluator()
    started = evaluator.start(artifact, by=cast.operator, plan=plan, config=fast())
    evaluator.wait(30)
    seen = progress(artifact.pk)
    assert seen is not None
    assert (seen.evaluation_id, seen.state, seen.percent) == (started.pk, EvaluationState.COMPLETE, 100)
    assert not is_locked()


@pytest.mark.django_db(transaction=True)
def test_a_server_that_stops_marks_its_evaluation_interrupted_and_leaves_no_worker(
    artifact: ModelArtifact, plan: Plan, cast: Cast
) -> None:
    before = children()
    evaluator = Evaluator()
    evaluator.start(artifact, by=cast.operator, plan=plan, config=fast(ms=2000))
    evaluator.close()
    seen = progress(artifact.pk)
    assert seen is not None
    assert seen.state == EvaluationState.INTERRUPTED
    assert children() == before


def children() -> set[str]:
    """Return the processes that this one has started."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}
