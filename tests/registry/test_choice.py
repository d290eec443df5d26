"""Which model the embedded default runs: what was chosen, or an error; never another one in silence."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path
from unittest import mock

import pytest
from pytest_django import Settings

from audit.models import AuditEvent
from qwenportal import models_setup
from qwenportal.models_setup import choose_model
from registry import fetching, services
from registry.catalogue import STARTER
from registry.errors import ModelError
from registry.models import ModelArtifact
from registry.services import (
    active_artifact,
    hash_file,
    import_file,
    import_starter,
    model_alerts,
    retire,
    waive,
)
from tests.registry.support import model_bytes


@pytest.fixture(autouse=True)
def _nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_args: object) -> ModelArtifact:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(services, "import_known", fetch)
    monkeypatch.setattr(services, "import_starter", fetch)
    monkeypatch.setattr(models_setup, "_person_agrees", lambda: False)


def stored(tmp_path: Path, name: str, *, is_starter: bool = False) -> ModelArtifact:
    file = tmp_path / f"{name}.gguf"
    file.write_bytes(model_bytes(name.encode()))
    if is_starter:
        digest = hash_file(file)
        with mock.patch("registry.importing.STARTER", dataclasses.replace(STARTER, sha256=digest)):
            return import_file(file, source=name)
    return import_file(file, source=name)


def activate(artifact: ModelArtifact) -> None:
    waive(artifact, reason="a test")
    services.activate(artifact, by=None)


def test_the_active_model_stays_though_newer_ones_are_stored(store: Path, tmp_path: Path) -> None:
    active = stored(tmp_path, "first")
    activate(active)
    stored(tmp_path, "second")
    assert choose_model("") == active


def test_an_active_model_whose_file_is_gone_stays_the_active_one_and_is_marked(
    store: Path, tmp_path: Path
) -> None:
    stored(tmp_path, "other")
    active = stored(tmp_path, "active")
    activate(active)
    active.path.unlink()
    assert choose_model("") == active
    assert [(alert.artifact, alert.code) for alert in model_alerts()] == [(active, "missing")]
    assert active_artifact() is None


def test_a_model_that_was_imported_and_never_activated_is_taken(store: Path, tmp_path: Path) -> None:
    stored(tmp_path, "old")
    newest = stored(tmp_path, "new")
    starter = stored(tmp_path, "starter", is_starter=True)
    assert choose_model("") == newest
    retire(newest, by=None, reason="a test")
    assert choose_model("").source == "old"
    retire(ModelArtifact.objects.get(source="old"), by=None, reason="a test")
    assert choose_model("") == starter


def test_a_named_file_comes_before_the_active_model(store: Path, tmp_path: Path, settings: Settings) -> None:
    activate(stored(tmp_path, "active"))
    wanted = tmp_path / "wanted.gguf"
    wanted.write_bytes(model_bytes(b"wanted"))
    settings.PORTAL = dataclasses.replace(settings.PORTAL, model_path=wanted)
    assert choose_model("").source == "wanted.gguf"
    settings.PORTAL = dataclasses.replace(settings.PORTAL, model_path=tmp_path / "absent.gguf")
    with pytest.raises(ModelError):
        choose_model("")


def test_the_embedded_default_records_a_waiver_and_only_one(store: Path, tmp_path: Path) -> None:
    artifact = stored(tmp_path, "first")
    for _start in range(2):
        assert choose_model("") == artifact
    artifact.refresh_from_db()
    assert artifact.status == "active"
    waiver = artifact.approvals.get()
    assert (waiver.decision, waiver.reason, waiver.account_id) == ("waive", "embedded quickstart", None)
    actions = list(AuditEvent.objects.order_by("seq").values_list("action", flat=True))
    assert actions == ["model.import", "model.waive", "model.activate"]


def test_a_model_that_was_retired_is_not_brought_back_by_naming_it(
    store: Path, tmp_path: Path, settings: Settings
) -> None:
    artifact = stored(tmp_path, "first")
    retire(artifact, by=None, reason="a test")
    settings.PORTAL = dataclasses.replace(settings.PORTAL, model_path=tmp_path / "first.gguf")
    with pytest.raises(ModelError, match="retired"):
        choose_model("")


def test_an_active_model_that_was_stopped_keeps_its_place_and_the_portal_starts(
    store: Path, tmp_path: Path
) -> None:
    active = stored(tmp_path, "active")
    activate(active)
    active.path.chmod(0o644)
    active.path.write_bytes(b"changed")
    with pytest.raises(ModelError):
        services.verify_artifact(active)
    assert choose_model("") == active
    assert active_artifact() is None


def test_an_installer_that_fails_is_quoted_in_one_line(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer = tmp_path / "installer"
    installer.write_text(
        "#!/bin/sh\necho Resolving\necho '  × Failed to fetch' >&2\necho '  ╰─▶ no way out' >&2\nexit 2\n"
    )
    installer.chmod(stat.S_IRWXU)
    monkeypatch.setattr(fetching, "_installer", lambda: [str(installer)])
    with pytest.raises(ModelError, match="Failed to fetch no way out") as refused:
        import_starter()
    assert "PORTAL_MODEL" in refused.value.detail
    assert "\n" not in refused.value.detail
