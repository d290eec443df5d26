"""Choose the model of the embedded default."""

from __future__ import annotations

import os
import sys

from django.conf import settings

from registry import services
from registry.catalogue import DEFAULT_QWEN, KNOWN_MODELS
from registry.models import ModelArtifact

QUESTION = (
    "No model yet. Fetch Qwen2.5-0.5B-Instruct (491 MB, Apache-2.0) from Hugging Face or ModelScope? "
    "Otherwise the portal takes a small English starter model. [y/N] "
)


def choose_model(wanted: str) -> ModelArtifact:
    """Import, if need be, and activate the model to run; return it.

    In this order: PORTAL_MODEL; what was asked for by name; one that was activated before; the real model if the
    person at the terminal agrees; the starter model. Nothing is fetched from a hub unasked. Raises ModelError.
    """
    artifact = _chosen(wanted)
    services.activate(artifact)
    return artifact


def _chosen(wanted: str) -> ModelArtifact:
    path = settings.PORTAL.model_path
    if path is not None:
        known = (
            ModelArtifact.objects.filter(sha256=services.hash_file(path)).first() if path.is_file() else None
        )
        return known if known and known.path.exists() else services.import_file(path, source=path.name[:120])
    if wanted:
        return _by_name(wanted)
    active = services.active_artifact()
    if active is not None and active.path.exists():
        return active
    return _by_name(DEFAULT_QWEN) if _person_agrees() else services.import_starter()


def _by_name(wanted: str) -> ModelArtifact:
    if wanted == "starter":
        return _stored(is_starter=True) or services.import_starter()
    model = KNOWN_MODELS[DEFAULT_QWEN if wanted == "qwen" else wanted]
    return _stored(sha256=model.sha256) or services.import_known(model.key)


def _stored(**wanted: object) -> ModelArtifact | None:
    found = ModelArtifact.objects.filter(**wanted).first()
    return found if found and found.path.exists() else None


def _person_agrees() -> bool:
    if not sys.stdin.isatty() or os.environ.get("CI"):
        return False
    return input(QUESTION).strip().casefold() in {"y", "yes"}
