"""The portal does not start on what would go wrong later, and says why in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from audit.errors import AuditUnavailable
from qwenportal import setup
from tests.portal import PortalProcess


@pytest.fixture
def portal(tmp_path: Path) -> PortalProcess:
    (tmp_path / "data" / "static").mkdir(parents=True)
    return PortalProcess(tmp_path / "data", PORTAL_ENGINE="scripted")


@pytest.mark.parametrize("command", [("quickstart",), ("quickstart", "--no-serve"), ("serve",)])
def test_a_broken_rule_file_stops_every_start(
    command: tuple[str, ...], portal: PortalProcess, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule\n")
    result = portal.manage(*command, check=False, PORTAL_POLICY_FILE=str(rules))
    assert result.returncode == 1
    assert "PORTAL_POLICY_FILE: rules.toml" in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_accounts_with_a_weak_password_are_never_opened_to_other_machines(portal: PortalProcess) -> None:
    portal.manage("quickstart", "--no-serve", QUICKSTART_PASSWORD="demo")
    exposed = (
        {"PORTAL_HOST": "0.0.0.0"},  # noqa: S104 (the case in question)
        {"PORTAL_ORIGINS": "https://chat.example.org"},
    )
    for how in exposed:
        for command in ("serve", "quickstart"):
            result = portal.manage(command, check=False, **how)
            assert result.returncode == 1
            assert "demo/member" in result.stderr
            assert "weak QUICKSTART_PASSWORD" in result.stderr
            assert result.stderr.strip().count("\n") == 0
    portal.start()
    portal.stop()


def test_a_weak_password_is_refused_where_other_machines_can_reach_the_portal(portal: PortalProcess) -> None:
    result = portal.manage(
        *("quickstart", "--no-serve"),
        check=False,
        QUICKSTART_PASSWORD="demo",
        PORTAL_ORIGINS="https://chat.example.org",
    )
    assert (result.returncode, "QUICKSTART_PASSWORD" in result.stderr) == (1, True)


def test_an_error_of_the_portal_while_it_sets_up_is_one_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> bool:
        raise AuditUnavailable

    monkeypatch.setattr(setup, "migrate", refuse)
    with pytest.raises(CommandError) as refused:
        call_command("quickstart", "--no-serve")
    assert str(refused.value) == AuditUnavailable.message
