"""The evidence report says what the checks found, names nobody, and can be checked itself."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from crypto.providers import key_file as key_file_path
from qwenportal.diagnosis import Row
from qwenportal.report import make_report
from registry.importing import import_file
from registry.services import activate, waive
from tests.conftest import Cast
from tests.registry.support import model_bytes

pytestmark = pytest.mark.django_db(transaction=True)


def report(*arguments: str) -> str:
    out = io.StringIO()
    call_command("compliance_report", *arguments, stdout=out)
    return out.getvalue()


def test_the_report_has_every_layer_and_every_chain_and_its_own_digest(cast: Cast) -> None:
    text = report("--language", "en")
    body, _, digest = text.rpartition("\nSHA-256: ")
    assert hashlib.sha256(body.encode()).hexdigest() == digest.strip()
    assert "seccomp" in body
    assert "open a TCP connection" in body
    for chain in (str(cast.member.tenant_id), str(cast.outsider.tenant_id), "platform"):
        assert f"| {chain} | " in body
    assert not any(person.display_name in body for person in cast.everybody().values())
    assert AuditEvent.objects.filter(action="report.make", outcome="ok").exists()


def test_the_report_speaks_chinese(cast: Cast) -> None:
    assert report("--language", "zh-hans").startswith("# 证据报告\n")


def test_a_failed_check_ends_with_a_failure_and_is_in_the_report(cast: Cast, tmp_path: Path) -> None:
    path = key_file_path()
    aside = path.rename(path.with_suffix(".aside"))
    try:
        with pytest.raises(CommandError):
            report("--language", "en", "--out", str(tmp_path / "report.md"))
    finally:
        aside.rename(path)
    assert "FAILED" in (tmp_path / "report.md").read_text()


def test_a_file_that_is_there_is_not_written_over(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("mine")
    with pytest.raises(CommandError, match="cannot be written"):
        report("--out", str(tmp_path / "report.md"))
    assert (tmp_path / "report.md").read_text() == "mine"


def test_a_name_in_a_model_file_makes_no_markup(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(model_bytes())
    artifact = import_file(tmp_path / "model.gguf", source="<b>| # *x*")
    waive(artifact, reason="test")
    activate(artifact, by=None)
    text = make_report([Row("model", "a|b", "warn", "[link](x)")])
    assert "\\<b\\>\\| \\# \\*x\\*" in text
    assert "| a\\|b |" in text
    assert "\\[link\\](x)" in text
    assert artifact.sha256 in text
