"""The evidence report says what the checks found, names nobody, and can be checked itself."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils.translation import override
from pytest_django import Settings

from audit.models import AuditEvent
from crypto.providers import key_file as key_file_path
from inference.cage.names import ATTEMPTS, LAYERS
from inference.engine import LOAD_ERRORS, LayerCheck, ThreadTrial, WorkerReport
from inference.examination import Examination
from qwenportal.diagnosis import Row, describe_worker, examine_settings, examine_store
from qwenportal.report import make_report
from registry.importing import import_file
from registry.services import activate, waive
from registry.wording import SPOKEN, in_words
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
    text = report("--language", "zh-hans")
    assert text.startswith("# 证据报告\n")
    assert english_in(text) == []


def test_what_is_not_in_order_is_told_in_chinese_too(cast: Cast, settings: Settings) -> None:
    settings.PORTAL = dataclasses.replace(
        settings.PORTAL,
        mode="production",
        trusted_proxies=0,
        model_signatures="optional",
        sandbox="best-effort",
    )
    failed = LayerCheck("landlock", "file", holds=False, detail="succeeded")
    seen = Examination(None, (failed,), "the worker ended unexpectedly while it loaded the model", 0, 0, 0)
    aside = key_file_path().rename(key_file_path().with_suffix(".aside"))
    with override("zh-hans"):
        try:
            rows = [*examine_settings(), *examine_store(), *describe_worker(seen)]
        finally:
            aside.rename(key_file_path())
        seen = replace(seen, report=WorkerReport("llamacpp", trials=()))
        rows += describe_worker(seen, trials=[ThreadTrial(1, 2.0, 1.0)])
        text = make_report(rows)
    assert "未通过" in text
    assert english_in(text) == []


@pytest.mark.parametrize("text", [*LOAD_ERRORS.values(), *SPOKEN, *LAYERS.values(), *ATTEMPTS.values()])
def test_what_engines_and_the_cage_say_has_a_chinese_form(text: str) -> None:
    with override("zh-hans"):
        assert in_words(text.replace("%(n)s", "7")) != text.replace("%(n)s", "7")


def english_in(report: str) -> list[str]:
    """Return the cells and lines in which three English words follow each other; commands in backquotes may."""
    plain = re.sub(r"`[^`]*`|https?://\S+", "", report.replace("\\`", "`"))
    pieces = [piece for line in plain.splitlines() for piece in line.split("|")]
    return [
        piece.strip() for piece in pieces if re.search(r"(?:\b[a-z]{2,}\b[ ,;:]+){2}\b[a-z]{2,}\b", piece)
    ]


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
