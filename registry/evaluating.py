"""Start, follow and stop evaluations: one at a time in an installation, from the terminal or within the server.

Whoever evaluates holds a lock on a file of the data folder; a row that says "running" while nobody holds it was left
behind by a process that died, and is marked interrupted before the next one begins and when the server starts.
"""

from __future__ import annotations

import fcntl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from audit.models import Outcome
from audit.services import record_event
from common import clock
from common.version import VERSION
from inference.config import PoolConfig
from inference.errors import InferenceError
from registry.banks import BANKS, Corpus
from registry.errors import EvaluationRuns, WrongStatus
from registry.evaluation import Observer, Plan, Run, caged
from registry.evaluations import EvaluationState, ModelEvaluation
from registry.lifecycle import mark_evaluated
from registry.measuring import Stopped
from registry.models import ModelArtifact, Status
from registry.permissions import require_manager
from registry.verifying import verify_artifact

# Which status of HTTP an end has in the audit log; a complete one is recorded by registry.lifecycle.
_STATUSES = {
    EvaluationState.COMPLETE: 206,
    EvaluationState.STOPPED: 499,
    EvaluationState.INTERRUPTED: 503,
    EvaluationState.FAILED: 500,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An evaluation that has its row and the lock, and has to be carried out."""

    stored: ModelEvaluation
    corpora: tuple[Corpus, ...]
    config: PoolConfig
    by: User | None
    lock: TextIO


def begin_evaluation(
    artifact: ModelArtifact,
    *,
    by: User | None,
    plan: Plan,
    config: PoolConfig | None = None,
    resume: bool = True,
) -> Begun:
    """Take the lock and make the row, or take up the one that was stopped with the same plan.

    Raises EvaluationRuns, WrongStatus for a retired artefact, ModelError for a changed file or a broken corpus,
    PermissionMissing, PersonNeeded.
    """
    require_manager(by)
    if artifact.status == Status.RETIRED:
        raise WrongStatus(artifact.status)
    corpora = plan.corpora()
    config = config or caged(artifact)
    verify_artifact(artifact)
    lock = _take_lock()
    try:
        settle_interrupted(locked=True)
        stored = _new_row(artifact, by=by, plan=plan, corpora=corpora, config=config)
        earlier = _resumable(stored) if resume else None
        if earlier is not None:
            stored = earlier
            stored.state, stored.ended_at, stored.error, stored.stop_requested = (
                EvaluationState.RUNNING,
                None,
                "",
                False,
            )
        with transaction.atomic():
            stored.save()
    except IntegrityError:  # Another server of this installation, with a data folder of its own, evaluates.
        lock.close()
        raise EvaluationRuns from None
    except BaseException:
        lock.close()
        raise
    return Begun(stored=stored, corpora=corpora, config=config, by=by, lock=lock)


class Brake:
    """Stop an evaluation from another thread, and say what it is then called."""

    def __init__(self) -> None:
        self._pulled = threading.Event()
        self.end = EvaluationState.STOPPED

    def pull(self, end: EvaluationState = EvaluationState.STOPPED) -> None:
        """Stop it."""
        self.end = end
        self._pulled.set()

    def is_pulled(self) -> bool:
        """Return whether it shall stop."""
        return self._pulled.is_set()


def carry_out(begun: Begun, *, observer: Observer, brake: Brake) -> ModelEvaluation:
    """Evaluate to the end, whatever that is, and return the row; raised are only Ctrl-C and errors of the database."""
    stored, end = begun.stored, EvaluationState.FAILED
    run = Run(stored, begun.corpora, observer=observer, should_stop=brake.is_pulled)
    try:
        run.carry_out(begun.config)
        end = EvaluationState.COMPLETE
    except Stopped:
        end = brake.end
    except InferenceError as error:
        stored.error = stored.error or error.code
    except KeyboardInterrupt:
        end = EvaluationState.STOPPED
        raise
    finally:
        try:
            _end(begun, end)
        finally:
            begun.lock.close()
    return stored


def settle_interrupted(*, locked: bool = False) -> int:
    """Mark what a dead process left running as interrupted; return how many. Does nothing while somebody evaluates."""
    lock = None if locked else _try_lock()
    if lock is None and not locked:
        return 0
    try:
        rows = ModelEvaluation.objects.filter(state=EvaluationState.RUNNING)
        return rows.update(state=EvaluationState.INTERRUPTED, ended_at=clock.now(), phase="")
    finally:
        if lock is not None:
            lock.close()


def is_locked() -> bool:
    """Return whether somebody evaluates."""
    lock = _try_lock()
    if lock is not None:
        lock.close()
    return lock is None


def _new_row(
    artifact: ModelArtifact, *, by: User | None, plan: Plan, corpora: tuple[Corpus, ...], config: PoolConfig
) -> ModelEvaluation:
    return ModelEvaluation(
        artifact=artifact,
        account_id=by.id if by else None,
        is_quick=plan.is_quick,
        banks=list(plan.banks),
        corpora={corpus.name: corpus.sha256 for corpus in corpora},
        engine=config.engine,
        sandbox=config.sandbox,
        slots=config.slots,
        portal_version=VERSION,
        total=sum(len(corpus.items) for corpus in corpora),
    )


def _resumable(wanted: ModelEvaluation) -> ModelEvaluation | None:
    """Return the newest evaluation with the same plan on the same engine that was cut short, if nothing came after."""
    last: ModelEvaluation | None = wanted.artifact.evaluations.first()
    if last is None or last.state not in {EvaluationState.STOPPED, EvaluationState.INTERRUPTED}:
        return None
    same = ("is_quick", "banks", "corpora", "engine", "sandbox", "slots", "portal_version", "total")
    return last if all(getattr(last, name) == getattr(wanted, name) for name in same) else None


def _end(begun: Begun, end: EvaluationState) -> None:
    """Store how it ended, with its event; a complete one of all banks makes the artefact "evaluated"."""
    stored = begun.stored
    stored.state, stored.ended_at, stored.phase = end, clock.now(), ""
    is_full = not stored.is_quick and set(stored.banks) == set(BANKS)
    if end != EvaluationState.COMPLETE or not is_full:
        _end_short(begun)
        return
    try:
        with transaction.atomic():
            stored.save()
            missed = stored.results.filter(passed=False).count()
            mark_evaluated(stored.artifact, thresholds_missed=missed, by=begun.by)
    except WrongStatus:  # It was retired meanwhile: the figures are kept, and count for nothing.
        _end_short(begun)


@transaction.atomic
def _end_short(begun: Begun) -> None:
    stored, by = begun.stored, begun.by
    stored.save()
    failed = stored.state in {EvaluationState.FAILED, EvaluationState.INTERRUPTED}
    record_event(
        action="model.evaluate",
        tenant_id=by.tenant_id if by else None,
        actor=by.id if by else None,
        object_type="model",
        object_id=stored.artifact.sha256[:12],
        outcome=Outcome.FAILED if failed else Outcome.OK,
        status=_STATUSES[EvaluationState(stored.state)],
        model_digest=stored.artifact.sha256,
    )


def _lock_file() -> Path:
    return Path(settings.PORTAL.data_dir) / "evaluate.lock"


def _take_lock() -> TextIO:
    lock = _try_lock()
    if lock is None:
        raise EvaluationRuns
    return lock


def _try_lock() -> TextIO | None:
    path = _lock_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
