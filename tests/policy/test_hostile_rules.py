"""Rules that somebody wrote by hand, badly or in bad faith, are refused with the reason and break nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policy import rulesets
from policy.base import base_rules
from policy.errors import RuleRefused
from policy.importing import read_list
from tenants.scope import tenant_scope
from tests.conftest import Cast

RULE: dict[str, Any] = {"code": "A-1", "title": {"en": "x"}, "input": "block", "keywords": ["heron"]}


@pytest.fixture
def scope(cast: Cast) -> Iterator[None]:
    assert cast.officer.tenant_id is not None
    base_rules.cache_clear()
    with tenant_scope(cast.officer.tenant_id):
        yield


@pytest.mark.usefixtures("scope")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (RULE | {"input": ["block"]}, "block, redact, consent or flag"),
        ({"code": "PII-ID-01", "input": ["block"]}, "block, redact, consent, flag or off"),
        ({"code": "PII-ID-01", "input": {"a": 1}}, "block, redact, consent, flag or off"),
        (RULE | {"title": {"en": "x", "zh-hans": 5}}, "titles are texts"),
        (RULE | {"title": {"en": "half \ud800"}}, "half a character"),
        (RULE | {"keywords": ["half \ud800"]}, "half a character"),
        (RULE | {"keywords": ["a" * 201]}, "longer than 200"),
        ({"code": "INJ-01", "output": "block"}, "questions only"),
        ({"code": "INJ-01", "input": "redact"}, "questions only"),
        ({"code": "INJ-01", "input": "consent"}, "questions only"),
    ],
)
def test_a_row_that_no_rule_can_be_made_of_is_refused(row: dict[str, Any], reason: str, cast: Cast) -> None:
    draft = rulesets.draft_of(cast.officer)
    with pytest.raises(RuleRefused, match=reason):
        rulesets.save_rule(draft, row, by=cast.officer)


def test_words_of_one_letter_are_told_in_whole_rules_too(tmp_path: Path) -> None:
    path = tmp_path / "rules.jsonl"
    path.write_text(json.dumps(RULE | {"keywords": ["heron", "的", "x\u200b"]}), encoding="utf-8")
    assert read_list(path).short == [(1, "的"), (1, "x\u200b")]
