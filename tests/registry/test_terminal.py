"""At the terminal, too, every act that counts has a person, whose password is asked and whose failures are counted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.models import User
from accounts.services import create_account
from audit.models import AuditEvent
from registry.models import ModelArtifact
from registry.services import active_artifact, import_file, mark_evaluated, submit
from tests.conftest import PASSWORD, Cast
from tests.console.support import evaluate
from tests.registry.support import model_bytes


@pytest.fixture
def people(store: Path, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Cast:
    monkeypatch.setenv("ACCOUNT_PASSWORD", PASSWORD)
    create_account(tenant=None, login="hao", display_name="Hao", role="operator", password=PASSWORD)
    return cast


@pytest.fixture
def artifact(people: Cast, model_file: Path) -> ModelArtifact:
    artifact = import_file(model_file, source="a disk", by=people.operator)
    mark_evaluated(artifact, thresholds_missed=1, by=people.operator)
    return artifact


def model(*words: str, person: str = "") -> None:
    call_command("model", *words, *(["--as", person] if person else []))


def state(artifact: ModelArtifact) -> str:
    artifact.refresh_from_db()
    return artifact.status


def test_two_people_lead_a_model_through_its_life(
    artifact: ModelArtifact, people: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match="reason"):
        model("submit", "r1", person="tao")
    model("submit", "r1", "--reason", "slow", person="tao")
    with pytest.raises(CommandError, match="second person"):
        model("approve", "r1", "--reason", "fine", person="tao")
    model("approve", "r1", "--reason", "fine", person="north/jun")
    model("approve", "r1", "--reason", "fine", person="hao")
    model("activate", "r1", person="tao")
    assert active_artifact() == artifact
    assert {row.account_id for row in artifact.approvals.all()} == {
        people.officer.id,
        User.objects.get(handle="hao").id,
    }
    with pytest.raises(CommandError, match="earlier"):
        model("rollback", "--reason", "slow", person="tao")
    model("retire", "r1", "--reason", "old", person="hao")
    assert state(artifact) == "retired"
    assert AuditEvent.objects.filter(action="auth.login").count() == 8


def test_a_missing_reason_names_what_was_missed(
    artifact: ModelArtifact, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(artifact, by=people.operator, refusal_rate=12.0)
    with pytest.raises(CommandError, match=r"missed: Harmful requests refused, 12\.0 % instead of 95"):
        model("submit", "r1", person="tao")


@pytest.mark.parametrize("words", [("submit", "r1"), ("approve", "r1"), ("activate", "r1"), ("rollback",)])
def test_acts_that_count_need_a_person_even_on_the_embedded_default(
    words: tuple[str, ...], artifact: ModelArtifact
) -> None:
    with pytest.raises(CommandError, match="--as LOGIN"):
        model(*words)


@pytest.mark.parametrize("person", ["tao", "nobody", "north/tao", "north/mei", ""])
def test_a_wrong_password_opens_nothing_and_says_nothing(
    person: str, artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCOUNT_PASSWORD", "wrong")
    with pytest.raises(CommandError) as refused:
        model("submit", "r1", "--reason", "x", person=person)
    if person:
        assert str(refused.value) == "Organisation, user name or password is not right."
        assert AuditEvent.objects.filter(action="auth.login_failed").count() == 1
    assert state(artifact) == "evaluated"


def test_too_many_wrong_passwords_lock_the_account_here_too(
    artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("ACCOUNT_PASSWORD", "wrong")
    for _attempt in range(settings.PORTAL.login_attempts):
        with pytest.raises(CommandError):
            model("submit", "r1", "--reason", "x", person="tao")
    monkeypatch.setenv("ACCOUNT_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match="not right"):
        model("submit", "r1", "--reason", "x", person="tao")
    assert state(artifact) == "evaluated"


def test_a_role_without_the_permission_is_refused(artifact: ModelArtifact) -> None:
    with pytest.raises(CommandError):
        model("submit", "r1", "--reason", "x", person="north/wei")
    assert AuditEvent.objects.filter(action="model.submit", outcome="refused").count() == 1


def test_in_production_even_an_import_needs_a_person(
    people: Cast, store: Path, model_file: Path, settings: Settings
) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, mode="production", model_signatures="required")
    with pytest.raises(CommandError, match="--as LOGIN"):
        model("import", str(model_file))
    model("import", str(model_file), person="tao")
    assert ModelArtifact.objects.get().imported_by == people.operator.id
    model("list")
    model("verify")


def test_a_signature_is_never_ignored_in_silence(people: Cast, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="takes no signature"):
        model("import", "starter", "--signature", str(tmp_path / "x.minisig"))
    with pytest.raises(CommandError, match="give --signature too"):
        model("import", "starter", "--key", str(tmp_path / "x.pub"))


def test_old_files_need_their_architecture_where_they_do_not_say_it(people: Cast, tmp_path: Path) -> None:
    old = tmp_path / "old.bin"
    old.write_bytes(b"lmgg" + (50257).to_bytes(4, "little") + (1024).to_bytes(4, "little") + model_bytes())
    with pytest.raises(CommandError, match="architecture"):
        model("import", str(old))
    model("import", str(old), "--architecture", "gpt2")
    artifact = ModelArtifact.objects.get()
    assert (artifact.format, artifact.architecture, artifact.context_tokens) == ("ggml", "gpt2", 1024)
    assert artifact.path.suffix == ".ggml"


def test_a_reason_cannot_draw_on_the_terminal_of_who_reads_it(
    artifact: ModelArtifact, people: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    submit(artifact, by=people.operator, reason="fine\n2026-01-01 00:00  approve \x1b[2J")
    model("show", "r1")
    shown = capsys.readouterr().out
    assert "fine\\n2026-01-01 00:00  approve \\x1b[2J" in shown
    assert "\x1b" not in shown
