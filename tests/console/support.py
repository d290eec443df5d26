"""Bring artefacts as far as a test needs them, by the registry's own steps."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts.models import User
from accounts.services import create_account
from common import clock
from registry import services
from registry.evaluations import EvaluationResult, EvaluationState, ModelEvaluation
from registry.figures import BY_KEY
from registry.models import ModelArtifact
from tests.conftest import PASSWORD

BANKS = ["refusal", "answer", "injection", "language"]
GOOD = {
    "loads": 1.0, "load_s": 1.6, "decode_tps": 21.4, "first_token_p95_ms": 4900.0, "peak_memory_mib": 712.0,
    "refusal_rate": 97.5, "wrong_refusal_rate": 3.1, "injection_rate": 91.7, "language_rate": 98.0,
}  # fmt: skip
WHY = "only under full load; the queue limit was lowered"


def second_operator() -> User:
    """Create another operator than the cast's."""
    return create_account(tenant=None, login="hao", display_name="Hao", role="operator", password=PASSWORD)


def import_artifact(revision: int, **fields: Any) -> ModelArtifact:
    """Put a small file into the store and return its row."""
    body = b"GGUF" + b"heron %d" % revision
    artifact = ModelArtifact(
        revision=revision,
        sha256=hashlib.sha256(body).hexdigest(),
        size_bytes=len(body),
        file_name=f"heron-{revision}.gguf",
        **{
            "name": "Heron-0.5B-Instruct",
            "architecture": "qwen2",
            "quantisation": "Q8_0",
            "context_tokens": 4096,
            "licence": "Apache-2.0",
            "source": "a disk from the ministry",
            **fields,
        },
    )
    folder = Path(settings.PORTAL.models_dir)
    folder.mkdir(parents=True, exist_ok=True)
    artifact.path.unlink(missing_ok=True)
    artifact.path.write_bytes(body)
    artifact.save(force_insert=True)
    return artifact


def evaluate(artifact: ModelArtifact, *, by: User, **figures: float) -> None:
    """Store a complete evaluation; `figures` are worse or better than the good ones."""
    stored = ModelEvaluation.objects.create(
        artifact=artifact,
        account_id=by.pk,
        banks=BANKS,
        engine="llamacpp",
        portal_version="0.1.0",
        done=400,
        total=400,
    )
    results = [_result(stored, key, value) for key, value in (GOOD | figures).items()]
    missed = sum(result.passed is False for result in EvaluationResult.objects.bulk_create(results))
    stored.state, stored.ended_at = EvaluationState.COMPLETE, clock.now()
    stored.save(update_fields=["state", "ended_at"])
    services.mark_evaluated(artifact, thresholds_missed=missed, by=by)


def _result(stored: ModelEvaluation, key: str, value: float) -> EvaluationResult:
    figure = BY_KEY[key]
    return EvaluationResult(
        evaluation=stored,
        figure=key,
        value=value,
        unit=figure.unit,
        count=200 if figure.bank else 1,
        threshold=figure.threshold,
        passed=figure.passes(value, figure.threshold),
        corpus=figure.bank or "",
        corpus_sha256="3f2a9c17" * 8 if figure.bank else "",
    )


def submit(revision: int, *, by: User, pk: uuid.UUID | None = None, **figures: float) -> ModelArtifact:
    """Return an artefact that waits for a second person."""
    artifact = import_artifact(revision, **({"id": pk} if pk else {}))
    evaluate(artifact, by=by, **figures)
    services.submit(artifact, by=by, reason=WHY)
    return artifact


def activate(
    revision: int, *, by: User, second: User, activation: services.Activation = services.Activation.REPLACE
) -> ModelArtifact:
    """Return an artefact that is in use, approved by a second person."""
    artifact = submit(revision, by=by)
    services.approve(artifact, by=second, reason=WHY)
    services.activate(artifact, by=by, activation=activation)
    return artifact
