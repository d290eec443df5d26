"""Make rule sets from a few lines of TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.ruleset import DEFAULT_RULES, RuleFileError, RuleSet, read_rules
from policy.services import OutputScreen

RULES = read_rules(DEFAULT_RULES)
RESIDENT_ID = "11010519491231002X"
CARD = "4111111111111111"
PHONE = "13812345678"


def rule(code: str = "T-1", **lines: str) -> str:
    """Return a [[rule]] table; a value is TOML, and an empty one leaves the line out."""
    fields = {
        "code": f'"{code}"',
        "title": '{ en = "Test" }',
        "pattern": '"heron"',
        "input": '"block"',
    } | lines
    return "\n".join(["[[rule]]", *(f"{key} = {value}" for key, value in fields.items() if value)])


def rules_from(folder: Path, *tables: str) -> RuleSet:
    path = folder / "rules.toml"
    path.write_text("\n".join(tables), encoding="utf-8")
    return read_rules(path)


def refusal_of(folder: Path, *tables: str) -> str:
    """Return what the reader says against the tables."""
    with pytest.raises(RuleFileError) as refused:
        rules_from(folder, *tables)
    return str(refused.value)


def streamed(pieces: list[str], rules: RuleSet) -> str:
    """Return what the screen lets out of an answer in these pieces."""
    screen = OutputScreen(rules)
    return "".join([*(screen.feed(piece).text for piece in pieces), screen.finish().text])
