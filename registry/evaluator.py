"""Start, follow and stop evaluations from within the server: a page only looks at what is stored."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db import connections

from accounts.models import User
from inference.config import PoolConfig
from registry.banks import Item
from registry.evaluating import Begun, Brake, begin_evaluation, carry_out, is_locked
from registry.evaluation import Plan
from registry.evaluations import EvaluationState, ModelEvaluation
from registry.judging import Verdict
from registry.models import ModelArtifact
from registry.permissions import require_manager

CLOSE_TIMEOUT_S = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an artefact's latest evaluation is. `percent` is that of its items: 0 while it loads and measures."""

    evaluation_id: UUID
    state: EvaluationState
    phase: str
    done: int
    total: int
    is_quick: bool
    started_at: datetime
    ended_at: datetime | None
    error: str

    @property
    def percent(self) -> int:
        """Return how much is done, in whole percent."""
        return 100 * self.done // self.total if self.total else 0

    @property
    def is_running(self) -> bool:
        """Return whether it goes on."""
        return self.state == EvaluationState.RUNNING


class Nobody:
    """Watch nothing."""

    def step(self, *, phase: str, done: int, total: int) -> None:
        """Do nothing."""

    def verdict(self, item: Item, answer: str, verdict: Verdict) -> None:
        """Do nothing."""


def start_evaluation(artifact_id: UUID, *, by: User, plan: Plan | None = None) -> ModelEvaluation:
    """Start an evaluation within this process and return at once. Raises as `begin_evaluation` does."""
    return evaluator().start(ModelArtifact.objects.get(pk=artifact_id), by=by, plan=plan or Plan())


def progress(artifact_id: UUID) -> Progress | None:
    """Return how far the latest evaluation of an artefact is, whichever process runs it; None if there was none."""
    row = ModelEvaluation.objects.filter(artifact_id=artifact_id).first()
    if row is None:
        return None
    state = EvaluationState(row.state)
    if state == EvaluationState.RUNNING and not is_locked():
        state = EvaluationState.INTERRUPTED
    return Progress(
        evaluation_id=row.id,
        state=state,
        phase=row.phase,
        done=row.done,
        total=row.total,
        is_quick=row.is_quick,
        started_at=row.started_at,
        ended_at=row.ended_at,
        error=row.error,
    )


def stop_evaluation(artifact_id: UUID, *, by: User | None) -> None:
    """Ask the running evaluation of an artefact to stop: at once in this process, else after its current question."""
    require_manager(by)
    running = ModelEvaluation.objects.filter(artifact_id=artifact_id, state=EvaluationState.RUNNING)
    for pk in running.values_list("pk", flat=True):
        running.filter(pk=pk).update(stop_requested=True)
        evaluator().stop(pk)


class Evaluator:
    """Carry out evaluations of this process, in a thread with an event loop of its own: serving never waits for it."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._brake = Brake()
        self._running: UUID | None = None

    def start(
        self, artifact: ModelArtifact, *, by: User, plan: Plan, config: PoolConfig | None = None
    ) -> ModelEvaluation:
        """Start one. Raises as `begin_evaluation` does."""
        begun = begin_evaluation(artifact, by=by, plan=plan, config=config)
        self._brake, self._running = Brake(), begun.stored.pk
        self._thread = threading.Thread(
            target=self._run, args=(begun, self._brake), name="evaluation", daemon=True
        )
        self._thread.start()
        return begun.stored

    def stop(self, evaluation_id: UUID) -> None:
        """Stop that one, if it runs here."""
        if evaluation_id == self._running:
            self._brake.pull()

    def close(self) -> None:
        """End what runs because the server stops; it is marked interrupted. Return when its worker is gone."""
        self._brake.pull(EvaluationState.INTERRUPTED)
        self.wait(CLOSE_TIMEOUT_S)

    def wait(self, timeout_s: float) -> None:
        """Return when nothing runs here, or after that time."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, begun: Begun, brake: Brake) -> None:
        try:
            carry_out(begun, observer=Nobody(), brake=brake)
        finally:
            self._running = None
            connections.close_all()


@cache
def evaluator() -> Evaluator:
    """Return this process's evaluator."""
    return Evaluator()
