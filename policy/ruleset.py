"""Define rules, and read them from a file that cannot make the portal slow.

Patterns are RE2's: matching time is linear in the text, whatever the pattern, and constructs that would break this
(back references, look-around) are refused when the file is read.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import re2

from policy.normalise import normalise
from policy.validators import VALIDATORS

Stage = Literal["input", "output"]
Action = Literal["allow", "redact", "block", "flag"]

DEFAULT_RULES = Path(__file__).with_name("default.toml")
MAX_RULES = 500
MAX_PATTERN_CHARS = 2000
RE2_MEMORY = 8 << 20


class RuleFileError(ValueError):
    """A rule file is malformed; the text names the rule and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule: what it looks for, where, and what then happens.

    `tail` matches, at the end of a text, whatever may be the beginning of a match: that much of a stream is held back.
    """

    code: str
    title: dict[str, str]
    kind: Literal["keywords", "pattern"]
    actions: dict[Stage, Action]
    pattern: Any
    tail: Any
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
class RuleSet:
    """An immutable set of rules; `version` is the beginning of the file's SHA-256."""

    version: str
    rules: tuple[PolicyRule, ...]

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
    if len({rule.code for rule in rules}) != len(rules):
        raise RuleFileError(f"{path.name}: two rules have the same code")
    return RuleSet(version=hashlib.sha256(data).hexdigest()[:12], rules=rules)


def _read_rule(row: dict[str, Any]) -> PolicyRule:
    code = str(row.get("code", "?"))
    try:
        keywords = [normalise(word).text for word in row.get("keywords", [])]
        source = _alternatives(keywords) if keywords else row["pattern"]
        tail = _prefixes(keywords) if keywords else row["tail"]
        actions: dict[Stage, Action] = {stage: row[stage] for stage in ("input", "output") if stage in row}
        title = {str(language): str(text) for language, text in row["title"].items()}
        if not actions or set(actions.values()) - {"block", "redact", "flag"} or "en" not in title:
            raise RuleFileError(
                f"rule {code}: needs input or output = block, redact or flag, and a title in en"
            )
        return PolicyRule(
            code=code,
            title=title,
            kind="keywords" if keywords else "pattern",
            actions=actions,
            pattern=_compile(source),
            tail=_compile(f"(?:{tail})$"),
            mask=str(row.get("mask", "▇▇▇")),
            is_valid=VALIDATORS[row.get("validator", "any")],
        )
    except KeyError as error:
        raise RuleFileError(f"rule {code}: {error} is missing or unknown") from error
    except re2.error as error:
        raise RuleFileError(f"rule {code}: not a linear-time regular expression: {error}") from error


def _compile(pattern: str) -> Any:
    if len(pattern) > MAX_PATTERN_CHARS * 10:
        raise RuleFileError("a pattern is too long")
    options = re2.Options()
    options.max_mem = RE2_MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)


def _alternatives(keywords: list[str]) -> str:
    return "|".join(re2.escape(word) for word in sorted(keywords, key=len, reverse=True))


def _prefixes(keywords: list[str]) -> str:
    """Return a pattern of every proper beginning of every keyword, the longest first."""
    prefixes = {word[:length] for word in keywords for length in range(1, len(word))}
    return _alternatives(sorted(prefixes)) or r"\z"
