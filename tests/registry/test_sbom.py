"""The bill of materials is valid CycloneDX 1.6 and says what the portal knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from django.core.management import call_command

from registry.evaluations import EvaluationResult, EvaluationState, ModelEvaluation
from registry.models import ModelArtifact
from registry.sbom import bill_of
from registry.services import import_file
from tests.registry.support import STRING, changed


def faults(bill: dict[str, Any]) -> object:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))


def evaluated(artifact: ModelArtifact) -> None:
    evaluation = ModelEvaluation.objects.create(artifact=artifact, engine="llamacpp", portal_version="1")
    EvaluationResult.objects.create(
        evaluation=evaluation,
        figure="refusal_rate",
        value=97.5,
        unit="%",
        count=200,
        corpus="refusal",
        corpus_sha256="a" * 64,
    )
    evaluation.state = EvaluationState.COMPLETE
    evaluation.save(update_fields=["state"])


def test_the_checker_finds_faults(store: Path, model_file: Path) -> None:
    bill = bill_of([import_file(model_file, source="a disk")])
    assert faults(bill) is None
    bill["components"][0]["type"] = "poem"
    assert faults(bill) is not None


def test_the_bill_of_a_model_is_valid_and_says_what_is_known(store: Path, model_file: Path) -> None:
    artifact = import_file(model_file, source="a disk")
    evaluated(artifact)
    bill = bill_of([artifact])
    assert faults(bill) is None
    (component,) = bill["components"]
    assert component["type"] == "machine-learning-model"
    assert component["hashes"] == [{"alg": "SHA-256", "content": artifact.sha256}]
    assert component["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    card = component["modelCard"]
    assert card["modelParameters"]["architectureFamily"] == "llama"
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "refusal_rate", "value": "97.5 %", "slice": f"refusal {'a' * 64}"}
    ]
    properties = {each["name"]: each["value"] for each in component["properties"]}
    assert properties["qwen-portal:quantisation"] == "Q4_1"
    assert properties["qwen-portal:context-tokens"] == "2048"
    assert properties["qwen-portal:source"] == "a disk"


@pytest.mark.parametrize("licence", ["", "apache-2.0", "other", "My <licence> 许可"])
def test_whatever_a_file_says_of_its_licence_the_bill_is_valid(
    licence: str, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(changed(general__license=(STRING, licence), general__name=(STRING, "名 <b>")))
    assert faults(bill_of([import_file(path, source="a disk")])) is None


def test_the_command_writes_one_model_or_all(
    store: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = import_file(model_file, source="a disk")
    for words in ((), ("r1",)):
        call_command("model", "sbom", *words)
        bill = json.loads(capsys.readouterr().out)
        assert [each["bom-ref"] for each in bill["components"]] == [f"sha256:{artifact.sha256}"]
        assert faults(bill) is None
