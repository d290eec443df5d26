"""A rule file that cannot be relied on is refused, and the refusal names the rule."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from django.core.checks import Error
from pytest_django import Settings

from policy.base import base_rules
from policy.checks import check_rule_file
from policy.engine import evaluate, redact
from policy.errors import PromptBlocked, PromptTooLong
from policy.ruleset import MAX_RULES, RuleFileError, read_rules
from policy.services import OutputScreen, clear_prompt
from tests.policy.support import PHONE, RESIDENT_ID, RULES, refusal_of, rule, rules_from


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ({"pattern": "'(?=x)y'"}, "linear-time"),
        ({"pattern": "'(?<!x)y'"}, "linear-time"),
        ({"pattern": r"'(a)\1'"}, "linear-time"),
        ({"pattern": "'(a'"}, "linear-time"),
        ({"pattern": "'a+'"}, "upper bound"),
        ({"pattern": "'a*'"}, "upper bound"),
        ({"pattern": "'(?:ab){2,}'"}, "upper bound"),
        ({"pattern": "'a{1,1001}'"}, "linear-time"),
        ({"pattern": "'(?:(?:a{1,1000}){1,1000}){1,1000}'"}, "linear-time"),
        ({"pattern": r"'\Qa+b\E'"}, "not supported"),
        ({"pattern": r"'\C'"}, "not supported"),
        ({"pattern": "'(?P<name>a)'"}, "names"),
        ({"pattern": "'" + "a" * 2001 + "'"}, "too long"),
        ({"pattern": "7"}, "texts"),
        ({"pattern": ""}, "one of keywords, pattern, injection and length"),
        ({"injection": "0.7"}, "one of keywords, pattern, injection and length"),
        ({"pattern": "", "injection": "1"}, "a score between 0 and 1"),
        ({"pattern": "", "injection": "1.5"}, "a score between 0 and 1"),
        ({"pattern": "", "injection": "0.7", "input": '"redact"'}, "block or flag questions only"),
        ({"pattern": "", "injection": "0.7", "output": '"flag"'}, "block or flag questions only"),
        ({"pattern": "", "length": "0"}, "a number of characters"),
        ({"pattern": "", "length": "true"}, "a number of characters"),
        ({"keywords": '["a"]'}, "one of keywords, pattern, injection and length"),
        ({"pattern": "", "keywords": "[]"}, "keyword"),
        ({"pattern": "", "keywords": "[7]"}, "list of texts"),
        ({"pattern": "", "keywords": '"heron"'}, "list of texts"),
        ({"pattern": "", "keywords": '["heron", "\u200b"]'}, "nothing of it can be seen"),
        ({"title": ""}, "title"),
        ({"title": '"Test"'}, "title"),
        ({"title": '{ zh-hans = "测试" }'}, "title"),
        ({"input": ""}, "needs input or output"),
        ({"input": '"stop"'}, "needs input or output"),
        ({"input": '"allow"'}, "needs input or output"),
        ({"validator": '"luhn"'}, "validators"),
        ({"ouput": '"block"'}, "ouput is unknown"),
        ({"mask": "7"}, "texts"),
    ],
)
def test_a_bad_rule_is_refused_by_its_code(lines: dict[str, str], word: str, tmp_path: Path) -> None:
    said = refusal_of(tmp_path, rule("GOOD-1"), rule("BAD-1", **lines))
    assert said.startswith("rule BAD-1: ")
    assert word in said


@pytest.mark.parametrize("code", ["", "1-A", "A B", "A-" + "b" * 31, "Ä-1", "A--1"])
def test_a_code_that_the_audit_log_would_refuse_is_refused_when_the_file_is_read(
    code: str, tmp_path: Path
) -> None:
    assert f"rule {code}: needs a code" in refusal_of(tmp_path, rule(code))


def test_two_rules_with_one_code_are_refused(tmp_path: Path) -> None:
    assert "rule T-1: two rules" in refusal_of(tmp_path, rule("T-1"), rule("T-2"), rule("T-1"))


def test_no_rules_and_too_many_rules_are_refused(tmp_path: Path) -> None:
    assert "between 1 and 500" in refusal_of(tmp_path, "")
    assert "between 1 and 500" in refusal_of(tmp_path, *(rule(f"T-{n}") for n in range(MAX_RULES + 1)))
    assert "is not a table" in refusal_of(tmp_path, "rule = [1]")
    assert "between 1 and 500" in refusal_of(tmp_path, 'rule = "x"')


def test_as_many_rules_as_allowed_are_taken(tmp_path: Path) -> None:
    tables = (rule(f"T-{n}", output='"redact"', pattern=f"'word{n}[a-z]{{1,4}}'") for n in range(MAX_RULES))
    rules = rules_from(tmp_path, *tables)
    assert redact("a word499abc b", rules=rules, stage="output")[0] == "a ▇▇▇ b"


@pytest.mark.parametrize("content", [b"[[rule", b"\xff\xfe", b"code = 1\ncode = 2"])
def test_a_file_that_is_no_toml_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(content)
    with pytest.raises(RuleFileError, match=r"rules\.toml"):
        read_rules(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match=r"absent\.toml"):
        read_rules(tmp_path / "absent.toml")


def test_the_version_is_that_of_the_files_content(tmp_path: Path) -> None:
    first = rules_from(tmp_path, rule())
    assert first.version == rules_from(tmp_path, rule()).version
    assert first.version != rules_from(tmp_path, rule(), "# changed").version


def test_keywords_are_words_and_not_patterns(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, rule(pattern="", keywords=r'["a.c", "(x", "B+"]'))
    for text, action in (
        ("a.c", "block"),
        ("abc", "allow"),
        ("(X", "block"),
        ("b+", "block"),
        ("bb", "allow"),
    ):
        assert evaluate(text, rules, stage="input").action == action


def test_of_equal_actions_the_first_rule_of_the_file_decides(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, rule("B-1", pattern='"river"'), rule("A-1", pattern='"heron"'))
    decision = evaluate("heron at the river", rules, stage="input")
    assert decision.rule is rules.rules[0]


@pytest.mark.parametrize(
    "pattern", ["(?:a{0,50}){0,15}b", "(?:(?:a|aa){1,20}){1,20}$", r"(?:\d{1,9}|[0-9a]{1,9}){1,40}x"]
)
def test_a_nasty_pattern_takes_time_in_proportion_to_the_text(pattern: str, tmp_path: Path) -> None:
    """A back-tracking engine needs longer than the universe for these."""
    rules = rules_from(tmp_path, rule(pattern=f"'{pattern}'", output='"redact"'))
    for text in ("a" * 8000 + "!", "1" * 8000 + "!"):
        started = time.process_time()
        redact(text, rules=rules, stage="output")
        evaluate(text, rules, stage="input")
        assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "text", ["4" * 8000, "4111 " * 1600, "1" * 8000, "110105194912310021" * 444, "-----" * 1600]
)
def test_a_nasty_text_takes_the_default_rules_no_time(text: str) -> None:
    started = time.process_time()
    screen = OutputScreen(RULES)
    clear_prompt(text, RULES)
    for at in range(0, len(text), 4):
        screen.feed(text[at : at + 4])
    screen.finish()
    assert time.process_time() - started < 2


def test_a_prompt_is_cleared_masked_or_blocked() -> None:
    assert clear_prompt("Hello", RULES).text == "Hello"
    masked = clear_prompt(f"Ring {PHONE}", RULES)
    assert (masked.text, masked.redacted_by) == ("Ring [手机号]", ("PII-PHONE-01",))
    with pytest.raises(PromptBlocked) as blocked:
        clear_prompt(f"I am {RESIDENT_ID}", RULES)
    assert RESIDENT_ID not in str(blocked.value)


def test_a_prompt_that_is_too_long_is_refused_before_any_rule_reads_it(settings: Settings) -> None:
    limit = settings.PORTAL.max_prompt_chars
    assert clear_prompt("a" * limit, RULES).text
    with pytest.raises(PromptTooLong):
        clear_prompt(RESIDENT_ID + "a" * limit, RULES)


def test_half_a_character_stops_no_screen() -> None:
    assert clear_prompt("half \ud83d a character", RULES).text == "half \ud83d a character"


def test_the_system_check_names_a_rule_file_that_cannot_be_used(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(rule("BAD-9", pattern="'a+'"))
    settings.PORTAL = dataclasses.replace(settings.PORTAL, policy_file=path)
    monkeypatch.setattr("policy.checks.base_rules", base_rules.__wrapped__)
    (found,) = check_rule_file()
    assert isinstance(found, Error)
    assert "BAD-9" in found.msg
