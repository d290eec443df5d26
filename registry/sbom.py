"""Write the bill of materials of models: CycloneDX 1.6 with a model card (ML-BOM), as plain JSON values.

Specification: https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from common import clock
from common.version import VERSION
from registry.catalogue import KNOWN_MODELS
from registry.evaluations import EvaluationState, ModelEvaluation
from registry.models import ModelArtifact

# SPDX licence ids of published models; anything else is given as a name, for the schema knows ids only.
SPDX = {
    name.casefold(): name
    for name in (
        "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "GPL-2.0-only", "GPL-3.0-only", "LGPL-3.0-only",
        "AGPL-3.0-only", "MPL-2.0", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0",
        "Unlicense",
    )
}  # fmt: skip
PREFIX = "qwen-portal:"


def bill_of(artifacts: Iterable[ModelArtifact]) -> dict[str, Any]:
    """Return a bill of materials with one component per artefact."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": clock.now().isoformat(),
            "tools": {"components": [{"type": "application", "name": "Qwen Portal", "version": VERSION}]},
        },
        "components": [_component(artifact) for artifact in artifacts],
    }


def _component(artifact: ModelArtifact) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"sha256:{artifact.sha256}",
        "name": artifact.name,
        "version": artifact.label,
        "hashes": [{"alg": "SHA-256", "content": artifact.sha256}],
        "modelCard": _card(artifact),
        "properties": _properties(_facts(artifact)),
    }
    if artifact.licence:
        component["licenses"] = [{"license": _licence(artifact.licence)}]
    known = KNOWN_MODELS.get(artifact.catalogue_key)
    if known is not None:
        component["externalReferences"] = [{"type": "distribution", "url": url} for url in known.urls]
    return component


def _card(artifact: ModelArtifact) -> dict[str, Any]:
    card: dict[str, Any] = {
        "modelParameters": {
            "task": "text-generation",
            "architectureFamily": artifact.architecture,
            "inputs": [{"format": "text"}],
            "outputs": [{"format": "text"}],
        }
    }
    evaluation = artifact.evaluations.filter(state=EvaluationState.COMPLETE, is_quick=False).first()
    if evaluation is not None:
        card["quantitativeAnalysis"] = {"performanceMetrics": _metrics(evaluation)}
    return card


def _metrics(evaluation: ModelEvaluation) -> list[dict[str, str]]:
    metrics = []
    for result in evaluation.results.order_by("figure"):
        metric = {"type": result.figure, "value": f"{result.value:g} {result.unit}".strip()}
        if result.corpus:
            metric["slice"] = f"{result.corpus} {result.corpus_sha256}"
        metrics.append(metric)
    return metrics


def _facts(artifact: ModelArtifact) -> dict[str, object]:
    return {
        "file": artifact.file_name,
        "size-bytes": artifact.size_bytes,
        "format": artifact.format,
        "quantisation": artifact.quantisation,
        "parameters": artifact.parameter_count or "",
        "context-tokens": artifact.context_tokens,
        "tokenizer-sha256": artifact.tokenizer_digest,
        "source": artifact.source,
        "imported-at": artifact.imported_at.isoformat(),
        "imported-with": artifact.portal_version,
        "status": artifact.status,
        "file-state": artifact.file_state,
        "signature-state": artifact.signature_state,
        "signature-key": artifact.signature_key,
        "signature": artifact.signature,
    }


def _properties(facts: dict[str, object]) -> list[dict[str, str]]:
    return [{"name": PREFIX + name, "value": str(value)} for name, value in facts.items() if value != ""]


def _licence(licence: str) -> dict[str, str]:
    spdx = SPDX.get(licence.casefold())
    return {"id": spdx} if spdx else {"name": licence}
