"""Stored files are looked at again and again, behind everything else, and what no longer holds is told."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from channels.layers import get_channel_layer
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from audit.models import AuditEvent
from common import clock
from inference.process import SCRATCH_PREFIX
from qwenportal.diagnosis import examine_store
from registry import store as store_module
from registry.announcing import MODELS_CHANGED, stamp_file
from registry.models import ModelArtifact
from registry.scanning import Scanner, ScanStopped
from registry.services import activate, import_file, model_alerts, retire, waive
from registry.store import unlisted_files


@pytest.fixture
def artifact(store: Path, model_file: Path) -> ModelArtifact:
    artifact = import_file(model_file, source="a disk")
    waive(artifact, reason="a test")
    activate(artifact, by=None)
    return artifact


def make_due(artifact: ModelArtifact) -> None:
    ModelArtifact.objects.filter(pk=artifact.pk).update(checked_at=clock.now() - timedelta(hours=25))


def damage(artifact: ModelArtifact) -> None:
    artifact.path.chmod(0o644)
    with artifact.path.open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"X")


def codes() -> list[str]:
    return [alert.code for alert in model_alerts()]


def test_a_scan_looks_at_what_is_due_and_only_once(artifact: ModelArtifact) -> None:
    scanner = Scanner()
    assert scanner.scan() == 0
    make_due(artifact)
    assert scanner.scan() == 1
    assert scanner.scan() == 0
    retire(artifact, by=None, reason="old")
    make_due(artifact)
    assert scanner.scan() == 0


def test_a_scan_that_finds_a_changed_file_stops_the_model_records_it_and_raises_an_alert(
    artifact: ModelArtifact,
) -> None:
    assert codes() == ["waived"]
    damage(artifact)
    make_due(artifact)
    assert Scanner().scan() == 1
    artifact.refresh_from_db()
    assert artifact.file_state == "mismatch"
    assert codes() == ["mismatch"]
    assert model_alerts()[0].is_stopped
    event = AuditEvent.objects.get(action="model.mismatch")
    assert (event.outcome, event.model_digest) == ("failed", artifact.sha256)
    artifact.path.unlink()
    make_due(artifact)
    Scanner().scan()
    assert codes() == ["missing"]


def test_a_file_that_was_touched_is_looked_at_before_its_time(artifact: ModelArtifact) -> None:
    assert Scanner().scan() == 0
    damage(artifact)
    os.utime(artifact.path, (1, 1))  # who changes a file may set its time back
    assert Scanner().scan() == 1
    assert codes() == ["mismatch"]
    assert Scanner().scan() == 0


def test_a_scan_removes_what_a_killed_import_or_worker_left_and_tells_of_files_without_an_artefact(
    artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = artifact.path.parent
    (folder / "starter.tmp").mkdir()
    left = [folder / "import-0123.tmp", folder / "starter.tmp", tmp_path / f"{SCRATCH_PREFIX}x"]
    fresh, others = tmp_path / f"{SCRATCH_PREFIX}y", tmp_path / "engine-x"
    left[0].touch()
    for scratch in (left[2], fresh, others):
        scratch.mkdir()
    for path in (*left, others):
        os.utime(path, (1, 1))
    unlisted = folder / f"{'a' * 64}.gguf"
    unlisted.touch()
    monkeypatch.setattr(store_module, "_is_abandoned", lambda path, **_times: path in {*left, unlisted})
    scanner = Scanner()
    for _look in range(2):
        scanner.tidy()
    assert not any(path.exists() for path in left)
    assert fresh.exists()
    assert others.exists()
    assert unlisted.exists()
    assert sum(unlisted.name in line for line in caplog.messages) == 1
    (row,) = [row for row in examine_store() if row.check == "store"]
    assert (row.verdict, unlisted.name in row.detail) == ("warn", True)


def test_what_is_new_in_the_store_may_be_an_import_that_goes_on(artifact: ModelArtifact) -> None:
    (artifact.path.parent / f"{'a' * 64}.gguf").touch()
    os.utime(artifact.path.parent / f"{'a' * 64}.gguf", (1, 1))  # a copy keeps an old time; its name is new
    assert unlisted_files() == []


def test_doctor_warns_of_a_waiver_and_fails_for_a_model_that_was_stopped(artifact: ModelArtifact) -> None:
    def verdicts() -> dict[str, str]:
        return {row.check: row.verdict for row in examine_store() if row.area == "model"}

    assert verdicts() == {"guards": "ok", "store": "ok", "r1": "warn"}
    damage(artifact)
    make_due(artifact)
    Scanner().scan()
    assert verdicts() == {"guards": "ok", "store": "ok", "r1": "fail"}


def test_a_file_that_is_put_back_is_used_again(artifact: ModelArtifact, model_file: Path) -> None:
    damage(artifact)
    make_due(artifact)
    Scanner().scan()
    import_file(model_file, source="a disk")
    assert codes() == ["waived"]


def test_a_scan_stops_at_once_when_the_server_stops(artifact: ModelArtifact) -> None:
    make_due(artifact)
    scanner = Scanner()
    scanner.close()
    with pytest.raises(ScanStopped):
        scanner.scan()
    artifact.refresh_from_db()
    assert artifact.file_state == "ok"


def test_the_thread_of_the_scan_ends_when_it_is_closed_and_does_not_run_where_nobody_wants_it(
    store: Path, settings: Settings
) -> None:
    scanner = Scanner()
    scanner.start()
    assert any(thread.name == "model-scan" for thread in threading.enumerate())
    scanner.close()
    assert not any(thread.name == "model-scan" for thread in threading.enumerate())
    settings.PORTAL = dataclasses.replace(settings.PORTAL, model_scan_hours=0)
    Scanner().start()
    assert not any(thread.name == "model-scan" for thread in threading.enumerate())


async def _listen() -> tuple[object, str]:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("portal.runtime", channel)
    return layer, channel


def test_what_changes_the_running_models_touches_the_stamp_once_it_is_committed(
    artifact: ModelArtifact, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    assert not stamp_file().exists()
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        retire(artifact, by=None, reason="old")
    assert not stamp_file().exists()
    assert len(callbacks) == 2
    for callback in callbacks:
        callback()
    first = stamp_file().stat().st_mtime_ns
    assert stamp_file().stat().st_mode & 0o777 == 0o600
    for callback in callbacks:
        callback()
    assert stamp_file().stat().st_mtime_ns >= first


def test_what_changes_the_running_models_is_told_to_the_running_servers(
    artifact: ModelArtifact, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    from asgiref.sync import async_to_sync

    layer, channel = async_to_sync(_listen)()
    with django_capture_on_commit_callbacks(execute=True):
        retire(artifact, by=None, reason="old")
    assert async_to_sync(layer.receive)(channel) == {"type": MODELS_CHANGED}  # type: ignore[attr-defined]
