"""A model is imported whole and unchanged, or not at all, and never used after somebody changed it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from inference.engine import Sandbox
from inference.inspection import Inspection, inspect_file
from registry import catalogue, importing
from registry.catalogue import KnownModel
from registry.errors import ModelError
from registry.models import ModelArtifact
from registry.services import activate, import_file, verify_artifact, waive
from tests.registry.support import STRING, changed, model_bytes

Output = pytest.CaptureFixture[str]


def known(**changes: object) -> KnownModel:
    data = model_bytes()
    model = KnownModel(
        key="heron",
        name="Heron-Instruct",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        licence="Apache-2.0",
        urls=(),
    )
    return dataclasses.replace(model, **changes)  # type: ignore[arg-type]


def tamper(artifact: ModelArtifact) -> None:
    artifact.path.chmod(0o644)
    with artifact.path.open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"X")


def test_a_file_is_stored_read_only_under_its_digest(store: Path, model_file: Path) -> None:
    artifact = import_file(model_file, source="a disk")
    assert artifact.sha256 == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert artifact.path == store / f"{artifact.sha256}.gguf"
    assert artifact.path.read_bytes() == model_file.read_bytes()
    assert artifact.path.stat().st_mode & 0o777 == 0o444
    assert store.stat().st_mode & 0o777 == 0o700
    assert (artifact.name, artifact.architecture, artifact.context_tokens) == ("Heron", "llama", 2048)
    assert (artifact.source, artifact.is_starter, artifact.size_bytes) == (
        "a disk",
        False,
        len(model_bytes()),
    )
    verify_artifact(artifact)


def test_a_file_that_is_imported_twice_is_one(store: Path, model_file: Path) -> None:
    first = import_file(model_file, source="once")
    assert import_file(model_file, source="twice") == first
    assert ModelArtifact.objects.get().source == "once"
    assert [path.name for path in store.iterdir()] == [first.path.name]
    assert AuditEvent.objects.filter(action="model.import").count() == 1


def test_importing_again_mends_a_file_that_was_changed(store: Path, model_file: Path) -> None:
    artifact = import_file(model_file, source="a disk")
    tamper(artifact)
    import_file(model_file, source="a disk")
    verify_artifact(artifact)


def test_a_file_that_was_changed_or_is_gone_is_not_used(store: Path, model_file: Path) -> None:
    artifact = import_file(model_file, source="a disk")
    tamper(artifact)
    for _look in range(2):
        with pytest.raises(ModelError, match="changed"):
            verify_artifact(artifact)
    assert artifact.file_state == "mismatch"
    artifact.path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        verify_artifact(artifact)
    assert artifact.file_state == "missing"
    events = AuditEvent.objects.filter(action="model.mismatch", outcome="failed")
    assert [event.object_id for event in events] == [artifact.sha256[:12]] * 2


def test_the_wrong_digest_for_a_known_model_is_refused_and_nothing_is_kept(
    store: Path, model_file: Path
) -> None:
    with pytest.raises(ModelError, match="SHA-256"):
        import_file(model_file, source="a disk", expected=known(sha256="0" * 64))
    assert list(store.iterdir()) == []
    assert not ModelArtifact.objects.exists()
    assert not AuditEvent.objects.filter(action="model.import").exists()


@pytest.mark.parametrize("data", [b"", b"GGUF", b"PK\x03\x04" * 100])
def test_what_is_no_model_is_refused_and_nothing_is_kept(data: bytes, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError):
        import_file(path, source="a disk")
    assert not store.exists() or list(store.iterdir()) == []
    assert not ModelArtifact.objects.exists()


def test_a_disk_that_fails_is_a_model_error_and_leaves_no_draft(
    store: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("registry.importing.os.fsync", full)
    with pytest.raises(ModelError, match="No space left"):
        import_file(model_file, source="a disk")
    assert list(store.iterdir()) == []


def test_what_a_killed_import_left_is_swept_away_and_what_grows_is_not(store: Path, model_file: Path) -> None:
    store.mkdir(mode=0o700, parents=True)
    left, growing = store / "import-0123.tmp", store / "import-4567.tmp"
    for draft in (left, growing):
        draft.write_bytes(b"half")
    os.utime(left, (1, 1))
    artifact = import_file(model_file, source="a disk")
    assert {path.name for path in store.iterdir()} == {growing.name, artifact.path.name}


def test_a_known_file_gets_its_published_name_and_licence(
    store: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalogue.KNOWN_MODELS, "heron", known(licence="Heron-1.0"))
    artifact = import_file(model_file, source="a disk")
    assert (artifact.name, artifact.licence) == ("Heron-Instruct", "Heron-1.0")


# --- the command ----------------------------------------------------------------------------------------------------
def test_the_command_imports_lists_shows_and_verifies(store: Path, model_file: Path, capsys: Output) -> None:
    call_command("model", "import", str(model_file))
    digest = ModelArtifact.objects.get().sha256
    assert digest in capsys.readouterr().out
    call_command("model", "list")
    assert capsys.readouterr().out.startswith(f"  r1   {digest[:12]}")
    call_command("model", "show", "r1")
    assert digest in capsys.readouterr().out
    call_command("model", "verify")
    assert "unchanged" in capsys.readouterr().out


def test_the_list_shows_a_model_in_use_as_stopped_once_its_file_was_changed(
    store: Path, model_file: Path, capsys: Output
) -> None:
    artifact = import_file(model_file, source="1")
    waive(artifact, reason="a test")
    activate(artifact, by=None)
    call_command("model", "list")
    assert capsys.readouterr().out.startswith(f"* r1   {artifact.sha256[:12]}  active ")
    tamper(artifact)
    for _known in (False, True):
        call_command("model", "list")
        line = capsys.readouterr().out
        assert line.startswith(f"! r1   {artifact.sha256[:12]}  stopped ")
        assert line.endswith("file: mismatch\n")
        with pytest.raises(CommandError):
            call_command("model", "verify")
        capsys.readouterr()


def test_the_command_verifies_every_file_and_fails_for_one(
    store: Path, model_file: Path, tmp_path: Path, capsys: Output
) -> None:
    other_file = tmp_path / "other.gguf"
    other_file.write_bytes(model_bytes(b"others"))
    good, bad = import_file(model_file, source="1"), import_file(other_file, source="2")
    tamper(bad)
    with pytest.raises(CommandError, match=bad.sha256[:12]):
        call_command("model", "verify")
    assert f"{good.sha256[:12]}  Heron: unchanged" in capsys.readouterr().out


@pytest.mark.parametrize("digest", ["", "ffff", "zz", "r3"])
def test_the_command_takes_only_what_is_named_clearly(
    digest: str, store: Path, model_file: Path, tmp_path: Path
) -> None:
    other_file = tmp_path / "other.gguf"
    other_file.write_bytes(model_bytes(b"others"))
    import_file(model_file, source="1")
    import_file(other_file, source="2")
    with pytest.raises(CommandError, match="Exactly one"):
        call_command("model", "show", digest)


def test_the_command_says_in_one_line_why_it_cannot_import(store: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("model", "import", str(tmp_path / "absent.gguf"))


def test_what_is_said_of_a_model_is_read_from_the_copy_that_is_kept(
    store: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write to the file replaces it between the first look and the copy."""
    bad = changed(tokenizer__chat_template=(STRING, "{{ ''.__class__ }}"))
    looks: list[Path] = []

    def look_and_replace(path: Path, *, sandbox: Sandbox) -> Inspection:
        looks.append(path)
        found = inspect_file(path, sandbox=sandbox)
        model_file.write_bytes(bad)
        return found

    monkeypatch.setattr(importing, "inspect_file", look_and_replace)
    with pytest.raises(ModelError, match="template"):
        import_file(model_file, source="a disk")
    assert looks[0] == model_file
    assert not ModelArtifact.objects.exists()
    assert list(store.iterdir()) == []


def test_a_pipe_is_no_model_and_is_not_waited_for(store: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    with pytest.raises(ModelError, match="it is none"):
        import_file(pipe, source="a disk")


def test_what_a_file_is_called_reaches_no_terminal_as_a_command(store: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/he\x1b[2J\nron\xff.gguf"))
    path.write_bytes(changed(general__name=(STRING, "")))
    artifact = import_file(path, source=f"file {path.name}")
    assert (artifact.name, artifact.file_name) == ("he[2Jron", "he[2Jron.gguf")
    assert artifact.source == "file he[2Jron.gguf"
