"""`manage.py doctor` finds what is wrong, says so in one row, and ends with 1."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as current
from django.core.management import CommandError, call_command
from pytest_django import Settings

from common.config import Sandbox
from crypto.providers import key_file as key_file_path
from inference.cage.names import IN_FORCE
from inference.engine import LayerCheck
from inference.pool import PoolConfig
from qwenportal import diagnosis
from qwenportal.diagnosis import Row
from registry.models import ModelArtifact
from tests.conftest import Cast
from tests.inference.support import scripted

pytestmark = pytest.mark.django_db(transaction=True)


def doctor() -> tuple[dict[str, Any], bool]:
    out = io.StringIO()
    try:
        call_command("doctor", "--json", stdout=out)
        failed = False
    except CommandError:
        failed = True
    found: dict[str, Any] = json.loads(out.getvalue())
    return found, failed


def rows(found: dict[str, Any], area: str) -> dict[str, str]:
    return {row["check"]: row["verdict"] for row in found["checks"] if row["area"] == area}


def test_a_sound_installation_has_no_failure_and_every_layer(cast: Cast) -> None:
    found, failed = doctor()
    assert not failed, found
    assert found["ok"]
    sandbox = rows(found, "sandbox")
    assert set(sandbox.values()) == {"ok"}
    assert len(sandbox) > 30
    assert rows(found, "audit") == {"guards": "ok", "chain heads": "ok"}


def test_every_model_in_use_is_loaded_in_a_worker_of_its_own(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    models = [ModelArtifact(revision=number, name="heron") for number in (1, 2, 3)]

    def config_for(model: ModelArtifact) -> PoolConfig:
        loaded.append(model.label)
        return scripted()

    def examine_model(model: ModelArtifact) -> Row:
        return Row("model", model.label, "fail" if model.label == "r2" else "ok", "")

    monkeypatch.setattr(diagnosis, "models_in_use", lambda: models)
    monkeypatch.setattr(diagnosis, "examine_model", examine_model)
    monkeypatch.setattr(diagnosis, "config_for", config_for)
    found, _failed = doctor()
    assert loaded == ["r1", "r3"]
    for label in loaded:
        assert rows(found, f"engine {label}")["start"] == "ok"
        assert set(rows(found, f"sandbox {label}").values()) == {"ok"}


def test_a_missing_key_file_fails(cast: Cast) -> None:
    path = key_file_path()
    aside = path.rename(path.with_suffix(".aside"))
    try:
        found, failed = doctor()
    finally:
        aside.rename(path)
    assert failed
    assert rows(found, "keys") == {"key file": "fail"}


@pytest.mark.parametrize(("sandbox", "verdict"), [("strict", "fail"), ("best-effort", "warn")])
def test_a_layer_that_does_not_hold_fails_where_it_is_demanded(
    sandbox: Sandbox, verdict: str, settings: Settings
) -> None:
    settings.PORTAL = replace(current.PORTAL, sandbox=sandbox)
    found = list(diagnosis.describe_cage([LayerCheck("landlock", IN_FORCE, holds=True)]))
    assert {row.verdict for row in found if row.check == "seccomp (system calls)"} == {verdict}
    assert {row.verdict for row in found if row.check == "Landlock (files)"} == {"ok"}
    assert found[0].verdict == verdict


def test_what_weakens_production_is_named(settings: Settings) -> None:
    settings.PORTAL = replace(current.PORTAL, mode="production", sandbox="best-effort", trusted_proxies=1)
    named = {row.check for row in diagnosis.examine_settings() if row.verdict == "warn"}
    assert {"PORTAL_SANDBOX", "PORTAL_ENGINE", "PORTAL_MODEL_SIGNATURES"} <= named
    assert "PORTAL_TRUSTED_PROXIES" not in named
