"""Choose the model of the embedded default."""

from __future__ import annotations

import os
import sys

from django.conf import settings

from registry import services
from registry.catalogue import DEFAULT_QWEN, KNOWN_MODELS
from registry.errors import ModelError
from registry.models import ModelArtifact, Status
from registry.verifying import look_where_touched

QUESTION = (
    "No model yet. Fetch Qwen2.5-0.5B-Instruct (491 MB, Apache-2.0) from Hugging Face or ModelScope? "
    "Otherwise the portal takes a small English starter model. [y/N] "
)
WAIVER = "embedded quickstart"


def choose_model(wanted: str) -> ModelArtifact:
    """Import, if need be, and activate the model to run; return it.

    In this order: PORTAL_MODEL; what was asked for by name; the active one; the newest in the store, the starter model
    last; the real model if the person at the terminal agrees; the starter model. Nothing is fetched from a hub unasked.
    Nobody approves a model here: a waiver is recorded in the approval's place, and shown.
    An active model whose file is gone or changed stays the active one: the server says so, and lets one that was in use
    before stand in for it; see chat.serving. Raises ModelError.
    """
    artifact = _chosen(wanted)
    if artifact.status in {Status.RETIRED, Status.REJECTED}:
        raise ModelError(f"{artifact} was {artifact.status}; name another one")
    if not services.is_approved_for(artifact, tenant_id=None):
        services.waive(artifact, reason=WAIVER)
    if artifact != _first_active():
        services.activate(artifact, by=None)
    return artifact


def _chosen(wanted: str) -> ModelArtifact:
    path = settings.PORTAL.model_path
    if path is not None:
        known = (
            ModelArtifact.objects.filter(sha256=services.hash_file(path)).first() if path.is_file() else None
        )
        return known if known and _is_whole(known) else services.import_file(path, source=path.name[:120])
    if wanted:
        return _by_name(wanted)
    kept = _active() or _newest_stored()
    if kept is not None:
        return kept
    return _by_name(DEFAULT_QWEN) if _person_agrees() else services.import_starter()


def _first_active() -> ModelArtifact | None:
    """Return what was activated last, sound or not: one that was stopped is not replaced in silence."""
    active: ModelArtifact | None = (
        ModelArtifact.objects.filter(status=Status.ACTIVE).order_by("-activated_at").first()
    )
    return active


def _active() -> ModelArtifact | None:
    active = _first_active()
    if active is not None:
        look_where_touched(active)
    return active


def _newest_stored() -> ModelArtifact | None:
    usable = ModelArtifact.objects.exclude(status__in=(Status.RETIRED, Status.REJECTED))
    newest_first = usable.order_by("is_starter", "-imported_at")
    return next((artifact for artifact in newest_first if artifact.path.exists()), None)


def _by_name(wanted: str) -> ModelArtifact:
    if wanted == "starter":
        return _stored(is_starter=True) or services.import_starter()
    model = KNOWN_MODELS[DEFAULT_QWEN if wanted == "qwen" else wanted]
    return _stored(sha256=model.sha256) or services.import_known(model.key)


def _stored(**wanted: object) -> ModelArtifact | None:
    found: ModelArtifact | None = ModelArtifact.objects.filter(**wanted).first()
    return found if found and found.path.exists() else None


def _person_agrees() -> bool:
    if not sys.stdin.isatty() or os.environ.get("CI"):
        return False
    return input(QUESTION).strip().casefold() in {"y", "yes"}


def _is_whole(artifact: ModelArtifact) -> bool:
    """Return whether the stored file is still the one that was imported; if not, a good copy may take its place."""
    try:
        services.verify_artifact(artifact)
    except ModelError:
        return False
    return True
