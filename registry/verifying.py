"""Tell whether a stored file and its signature still hold; what does not stops, and everybody hears of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from audit.models import Outcome
from audit.services import record_event
from common import clock
from registry.announcing import announce_change
from registry.errors import ModelError
from registry.history import remember
from registry.models import EventKind, FileState, ModelArtifact, SignatureState
from registry.signatures import BadSignature
from registry.trust import state_of

READ_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at an artefact's file and signature found; `detail` is empty where both hold."""

    file_state: FileState
    signature_state: str
    detail: str = ""


def verify_artifact(artifact: ModelArtifact) -> None:
    """Raise ModelError unless the stored file still has its digest and its signature, if it has one, still counts.

    What was found stands on the artefact after; a new finding stops the model and is recorded.
    """
    finding = look_at(artifact)
    note_finding(artifact, finding)
    if finding.detail:
        raise ModelError(finding.detail)


def look_at(artifact: ModelArtifact, *, pause: Callable[[], None] | None = None) -> Finding:
    """Read the whole file and return what was found; `pause` is called after every 4 MiB and may raise to stop."""
    given = artifact.signature_state
    try:
        sha256, blake2b = _digests(artifact.path, pause=pause)
        if sha256 != artifact.sha256:
            detail = f"the file of {artifact} has been changed since it was imported; it is not used"
            return Finding(FileState.MISMATCH, given, detail)
        signature = state_of(
            artifact.signature, key_id=artifact.signature_key, path=artifact.path, blake2b=blake2b
        )
    except OSError as error:
        return Finding(FileState.MISSING, given, f"the file of {artifact} cannot be read: {error.strerror}")
    except BadSignature as error:
        return Finding(
            FileState.MISMATCH, given, f"the signature of {artifact} does not hold: {error.detail}"
        )
    if signature == SignatureState.REVOKED:
        detail = (
            f"key {artifact.signature_key}, which signed {artifact}, is no longer trusted; it is not used"
        )
        return Finding(FileState.OK, signature, detail)
    return Finding(FileState.OK, signature)


def was_touched(artifact: ModelArtifact) -> bool:
    """Return whether anything happened to the file since it was last looked at, by the kernel's own time of change.

    That time cannot be set, so who writes into a file, puts another in its place or takes it away is seen at once.
    """
    try:
        changed_at = artifact.path.stat().st_ctime
    except OSError:
        return artifact.file_state != FileState.MISSING
    return changed_at > artifact.checked_at.timestamp()


def look_where_touched(artifact: ModelArtifact) -> None:
    """Look at a file that was touched, and write down what was found."""
    if was_touched(artifact):
        note_finding(artifact, look_at(artifact))


async def load_fault(artifact: ModelArtifact) -> str:
    """Return "" where file and signature hold, else the key of inference.engine.LOAD_ERRORS; nothing is noted."""
    finding = await asyncio.to_thread(look_at, artifact)
    return "model_changed" if finding.detail else ""


def note_finding(artifact: ModelArtifact, finding: Finding) -> None:
    """Write down what was found; what is new and bad is an event, an alert and the end of the model's use."""
    with transaction.atomic():
        row: ModelArtifact = ModelArtifact.objects.select_for_update().get(pk=artifact.pk)
        before = (row.file_state, row.signature_state)
        row.file_state, row.signature_state = finding.file_state, finding.signature_state
        row.checked_at = clock.now()
        row.save(update_fields=["file_state", "signature_state", "checked_at"])
        if before != (row.file_state, row.signature_state):
            if not row.is_sound:
                _record_mismatch(row)
            announce_change()
    artifact.refresh_from_db()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(path: Path, *, pause: Callable[[], None] | None) -> tuple[str, bytes]:
    sha256, blake2b = hashlib.sha256(), hashlib.blake2b()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            sha256.update(chunk)
            blake2b.update(chunk)
            if pause is not None:
                pause()
    return sha256.hexdigest(), blake2b.digest()


def _record_mismatch(row: ModelArtifact) -> None:
    reason = row.file_state if row.file_state != FileState.OK else f"signature {row.signature_state}"
    remember(EventKind.MISMATCH, row, by=None, reason=reason)
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
