"""Define rules, and read them from a file that cannot make the portal slow.

Patterns are RE2's: matching time is linear in the text, whatever the pattern, and constructs that would break this
(back references, look-around) are refused when the file is read.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import re2

from policy.beginnings import beginnings_of
from policy.normalise import normalise
from policy.validators import VALIDATORS

Stage = Literal["input", "output"]
Action = Literal["allow", "redact", "block", "flag"]

DEFAULT_RULES = Path(__file__).with_name("default.toml")
MAX_RULES = 500
MAX_PATTERN_CHARS = 2000
RE2_MEMORY = 64 << 20
NOTHING = r"[^\x00-\x{10FFFF}]"

_KEYS = {"code", "title", "keywords", "pattern", "validator", "mask", "input", "output"}
# What the audit log takes as the code of a rule.
_CODE = re.compile(r"(?=.{1,32}\Z)[A-Za-z][A-Za-z0-9]{0,15}([._-][A-Za-z0-9]{1,16}){0,4}", re.ASCII)


class RuleFileError(ValueError):
    """A rule file is malformed; the text names the rule and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule: what it looks for, where, and what then happens.

    `beginnings` is the pattern of whatever, at the end of a text, may be the beginning of a match.
    """

    code: str
    title: dict[str, str]
    kind: Literal["keywords", "pattern"]
    actions: dict[Stage, Action]
    pattern: Any
    beginnings: str
    mask: str
    is_valid: Callable[[str], bool]

    def title_in(self, language: str) -> str:
        """Return the title in the language, or in English."""
        return self.title.get(language) or self.title["en"]


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """What the rules say of a text: the strongest action, the rule that decided, and the places (start, end) it hit."""

    action: Action
    rule: PolicyRule | None = None
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class StreamRules:
    """The rules that change an answer while it is written, and all of them in two patterns, so that ordinary text costs
    two searches however many rules there are.

    `any_match` finds a match of any rule; `any_beginning`, at the end of a text, the leftmost that may become one.
    """

    rules: tuple[PolicyRule, ...]
    any_match: Any
    any_beginning: Any


@dataclass(frozen=True, slots=True)
class RuleSet:
    """An immutable set of rules; `version` is the beginning of the file's SHA-256."""

    version: str
    rules: tuple[PolicyRule, ...]
    stream: StreamRules

    def at(self, stage: Stage) -> tuple[PolicyRule, ...]:
        """Return the rules that act at a stage."""
        return tuple(rule for rule in self.rules if rule.actions.get(stage, "allow") != "allow")


def read_rules(path: Path) -> RuleSet:
    """Return the rules of a TOML file. Raises RuleFileError."""
    try:
        data = path.read_bytes()
        rows = tomllib.loads(data.decode("utf-8")).get("rule", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RuleFileError(f"{path.name}: {error}") from error
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_RULES:
        raise RuleFileError(f"{path.name}: needs between 1 and {MAX_RULES} [[rule]] tables")
    rules = tuple(_read_rule(row) for row in rows)
    codes = [rule.code for rule in rules]
    for code in codes:
        if codes.count(code) > 1:
            raise RuleFileError(f"rule {code}: two rules have this code")
    return RuleSet(version=hashlib.sha256(data).hexdigest()[:12], rules=rules, stream=_stream(rules))


def _stream(rules: tuple[PolicyRule, ...]) -> StreamRules:
    acting = tuple(rule for rule in rules if rule.actions.get("output") in ("redact", "block"))
    try:
        return StreamRules(
            rules=acting,
            any_match=_compile(_any_of(rule.pattern.pattern for rule in acting)),
            any_beginning=_compile(rf"(?:{_any_of(rule.beginnings for rule in acting)})\z"),
        )
    except re2.error as error:
        raise RuleFileError(f"the rules for output are too large together: {error}") from error


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns) or NOTHING


def _read_rule(row: Any) -> PolicyRule:
    code = str(row.get("code", "?")) if isinstance(row, dict) else "?"
    try:
        _check_shape(row)
        source = _source(row)
        return PolicyRule(
            code=code,
            title={str(language): str(text) for language, text in row["title"].items()},
            kind="keywords" if "keywords" in row else "pattern",
            actions={stage: row[stage] for stage in ("input", "output") if stage in row},
            pattern=_compile(source),
            beginnings=beginnings_of(source),
            mask=row.get("mask", "▇▇▇"),
            is_valid=VALIDATORS[row.get("validator", "any")],
        )
    except ValueError as error:
        raise RuleFileError(f"rule {code}: {error}") from error
    except re2.error as error:
        raise RuleFileError(f"rule {code}: not a linear-time regular expression: {error}") from error


def _check_shape(row: Any) -> None:
    """Raise ValueError, which says what is wrong, for anything but a table with the keys that a rule has."""
    if not isinstance(row, dict):
        raise ValueError("is not a table")  # noqa: TRY004 (the reader reports every ValueError)
    unknown = row.keys() - _KEYS
    actions = [row[stage] for stage in ("input", "output") if stage in row]
    texts = [row.get(key, "") for key in ("code", "pattern", "validator", "mask")]
    demands = {
        f"{', '.join(sorted(unknown))} is unknown": not unknown,
        "code, pattern, validator and mask are texts": all(isinstance(text, str) for text in texts),
        "needs a code of letters and digits, joined by . _ or -": _CODE.fullmatch(str(row.get("code", ""))),
        "needs a title in en": isinstance(row.get("title"), dict) and row["title"].get("en"),
        "needs input or output = block, redact or flag": actions
        and all(action in ("block", "redact", "flag") for action in actions),
        "needs either keywords or a pattern": ("keywords" in row) != ("pattern" in row),
        "needs one of the validators": str(row.get("validator", "any")) in VALIDATORS,
    }
    for demand, is_met in demands.items():
        if not is_met:
            raise ValueError(demand)


def _source(row: dict[str, Any]) -> str:
    """Return the pattern that the rule gives, or the one of its keywords, the longest first."""
    if "pattern" in row:
        if len(row["pattern"]) > MAX_PATTERN_CHARS:
            raise ValueError("the pattern is too long")
        return str(row["pattern"])
    words = row["keywords"]
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("keywords is a list of texts")
    seen = [normalise(word).data.decode() for word in words]
    if not seen or not all(seen):
        raise ValueError("a keyword is empty, or nothing of it can be seen")
    return "|".join(re2.escape(word) for word in sorted(seen, key=len, reverse=True))


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = RE2_MEMORY
    options.never_capture = True
    options.log_errors = False
    return re2.compile(pattern, options)
