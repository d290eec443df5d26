"""Tell whether a stored file is still the one that was imported; if not, it stops and everybody hears of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.db import transaction

from audit.models import Outcome
from audit.services import record_event
from common import clock
from registry.announcing import announce_change
from registry.errors import ModelError
from registry.history import remember
from registry.models import EventKind, FileState, ModelArtifact


def verify_artifact(artifact: ModelArtifact) -> None:
    """Raise ModelError unless the stored file still has the digest under which it was imported.

    What was found stands on the artefact after; a new finding stops the model and is recorded.
    """
    state, detail = _look(artifact)
    note_state(artifact, file_state=state)
    if state != FileState.OK:
        raise ModelError(detail)


def note_state(artifact: ModelArtifact, *, file_state: str) -> None:
    """Write down what a look at the file found; what is new and bad is an event, an alert and the end of its use."""
    with transaction.atomic():
        row: ModelArtifact = ModelArtifact.objects.select_for_update().get(pk=artifact.pk)
        changed = row.file_state != file_state
        row.file_state, row.checked_at = file_state, clock.now()
        row.save(update_fields=["file_state", "checked_at"])
        if changed and not row.is_sound:
            _record_mismatch(row)
        if changed:
            announce_change()
    artifact.refresh_from_db()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _look(artifact: ModelArtifact) -> tuple[FileState, str]:
    try:
        digest = hash_file(artifact.path)
    except OSError as error:
        return FileState.MISSING, f"the file of {artifact} cannot be read: {error.strerror}"
    if digest != artifact.sha256:
        detail = f"the file of {artifact} has been changed since it was imported; it is not used"
        return FileState.MISMATCH, detail
    return FileState.OK, ""


def _record_mismatch(row: ModelArtifact) -> None:
    remember(EventKind.MISMATCH, row, by=None, reason=row.file_state)
    record_event(
        action="model.mismatch",
        tenant_id=None,
        actor=None,
        object_type="model",
        object_id=row.sha256[:12],
        outcome=Outcome.FAILED,
        status=500,
        model_digest=row.sha256,
    )
