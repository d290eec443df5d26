"""Every action is registered, labelled and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audit.actions import ACTIONS, label_of, registered, tone_of
from audit.errors import UnknownAction
from audit.shapes import OBJECT_KINDS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "audit-actions.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", DOCUMENT, re.MULTILINE)


def test_every_action_is_documented_and_nothing_else_is() -> None:
    assert sorted(ROWS) == sorted(action.name for action in ACTIONS)


def test_every_object_kind_is_documented() -> None:
    assert not [kind for kind in OBJECT_KINDS if kind and f"`{kind}`" not in DOCUMENT]


def test_every_action_in_the_code_is_registered() -> None:
    names: set[str] = set()
    apps = ("accounts", "audit", "chat", "consent", "console", "policy", "qwenportal", "registry", "tenants")
    for app in apps:
        for path in (ROOT / app).rglob("*.py"):
            names |= set(re.findall(r'action="([a-z_]+\.[a-z_]+)"', path.read_text(encoding="utf-8")))
    assert names
    assert not [name for name in names if registered(name).name != name]


def test_an_unregistered_action_raises() -> None:
    with pytest.raises(UnknownAction):
        registered("chat.whisper")


def test_names_are_unique_and_have_labels() -> None:
    names = [action.name for action in ACTIONS]
    assert len(set(names)) == len(names)
    assert all(str(action.label) for action in ACTIONS)
    assert label_of("retired.action") == "retired.action"


@pytest.mark.parametrize(
    ("action", "status", "tone"),
    [
        ("policy.block_input", 403, "danger"),
        ("auth.lockout", 429, "warn"),
        ("ratelimit.reject", 429, "warn"),
        ("queue.timeout", 503, "warn"),
        ("chat.failed", 500, "danger"),
        ("chat.stop", 200, "mute"),
        ("model.import", 200, "info"),
        ("chat.complete", 200, "ok"),
        ("chat.complete", 500, "danger"),
    ],
)
def test_the_tone_of_a_row_says_how_it_ended(action: str, status: int, tone: str) -> None:
    assert tone_of(action, status) == tone
