"""Define rules, and read them from a file that cannot make the portal slow.

Patterns are RE2's: matching time is linear in the text, whatever the pattern, and constructs that would break this
(back references, look-around) are refused when the file is read.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import re2

from policy.beginnings import beginnings_of
from policy.injection import default_detector
from policy.keywords import Keyword, KeywordIndex, KeywordIndexes, read_keyword
from policy.validators import VALIDATORS

Stage = Literal["input", "output"]
Action = Literal["allow", "flag", "consent", "redact", "block"]

# From the weakest to the strongest; which rule decides follows from it, and whether a change weakens a rule.
STRENGTH: dict[Action, int] = {"allow": 0, "flag": 1, "consent": 2, "redact": 3, "block": 4}
Kind = Literal["keywords", "pattern", "injection", "length"]

DEFAULT_RULES = Path(__file__).with_name("default.toml")
MAX_RULES = 500
MAX_PATTERN_CHARS = 2000
# A stream is held back for as long as a keyword may go on, and the index takes memory for each of its letters.
MAX_WORD_CHARS = 200
RE2_MEMORY = 64 << 20
NOTHING = r"[^\x00-\x{10FFFF}]"

STAGES: tuple[Stage, ...] = ("input", "output")
# Kinds that judge a text as a whole: there is nothing to mask, and no answer can be judged before its end.
WHOLE: tuple[Kind, ...] = ("injection", "length")
WAYS: tuple[Kind, ...] = ("keywords", "pattern", *WHOLE)
_KEYS = {
    "category",
    "code",
    "enabled",
    "injection",
    "input",
    "keywords",
    "locked",
    "length",
    "mask",
    "numerals",
    "output",
    "pattern",
    "priority",
    "title",
    "validator",
}
# What the audit log takes as the code of a rule.
_CODE = re.compile(r"(?=.{1,32}\Z)[A-Za-z][A-Za-z0-9]{0,15}([._-][A-Za-z0-9]{1,16}){0,4}", re.ASCII)


class RuleFileError(ValueError):
    """A rule file is malformed; the text names the rule and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule: what it looks for, where, and what then happens.

    It looks for `words` or for `pattern`; `beginnings` is the pattern of whatever, at the end of a text, may be the
    beginning of a match. Or it judges a whole question: one that looks like an injection with a score of `threshold` or
    more, or one that is longer than `max_chars`. `order` is its place in the set. A pattern with `numerals` also sees
    numbers that are written as Chinese numerals or with marks between the digits. An organisation cannot weaken a rule
    of the base that is `locked`.
    """

    code: str
    title: dict[str, str]
    kind: Kind
    actions: dict[Stage, Action]
    mask: str
    order: int
    category: str = ""
    priority: int = 0
    words: tuple[str, ...] = ()
    pattern: Any = None
    beginnings: str = ""
    threshold: float = 0.0
    max_chars: int = 0
    is_valid: Callable[[str], bool] = VALIDATORS["any"]
    locked: bool = False
    numerals: bool = False

    def title_in(self, language: str) -> str:
        """Return the title in the language, or in English."""
        return self.title.get(language) or self.title["en"]


@dataclass(frozen=True, slots=True)
class Match:
    """A place that a rule matched: characters `start` to `end` (excluded) of the original, which read `form`.

    A rule of kind injection matches by several signals: each is a match, with its name and points, and with the score
    of the whole text.
    """

    rule: PolicyRule
    start: int
    end: int
    form: str
    signal: str = ""
    points: float = 0.0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """What the rules say of a text: the action, the rule that decided, and every match of every rule."""

    action: Action
    rule: PolicyRule | None = None
    matches: tuple[Match, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the categories of all matches, each once, from the left."""
        return tuple(dict.fromkeys(match.rule.category for match in self.matches if match.rule.category))

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Return where the deciding rule matched."""
        return tuple((match.start, match.end) for match in self.matches if match.rule is self.rule)


@dataclass(frozen=True, slots=True)
class StageRules:
    """The rules that act at a stage, put together so that ordinary text costs the same however many there are.

    `by_place` has the rules by their place in the set, by which keywords know them. `whole` are those that
    judge a text as a whole. `any_pattern` finds a match of any pattern; `any_beginning`, at the end of a text, the
    leftmost that may become one. `numerals` are the patterns that read numerals as well, `any_number` and
    `any_number_beginning` the same for them.
    """

    rules: tuple[PolicyRule, ...]
    by_place: dict[int, PolicyRule]
    patterns: tuple[PolicyRule, ...]
    whole: tuple[PolicyRule, ...]
    keywords: KeywordIndexes
    any_pattern: Any
    any_beginning: Any
    numerals: tuple[PolicyRule, ...]
    any_number: Any
    any_number_beginning: Any


@dataclass(frozen=True, slots=True)
class RuleSet:
    """An immutable set of rules; `version` is the beginning of the file's SHA-256.

    `stream` has those that change an answer while it is written: the others wait for its end.
    """

    version: str
    rules: tuple[PolicyRule, ...]
    stages: dict[Stage, StageRules]
    stream: StageRules

    def at(self, stage: Stage) -> StageRules:
        """Return the rules that act at a stage."""
        return self.stages[stage]


def read_rules(path: Path) -> RuleSet:
    """Return the rules of a TOML file. Raises RuleFileError."""
    try:
        data = path.read_bytes()
        rows = tomllib.loads(data.decode("utf-8")).get("rule", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RuleFileError(f"{path.name}: {error}") from error
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_RULES:
        raise RuleFileError(f"{path.name}: needs between 1 and {MAX_RULES} [[rule]] tables")
    rules = tuple(read_rule(row, order=order) for order, row in enumerate(rows))
    codes = [rule.code for rule in rules]
    for code in codes:
        if codes.count(code) > 1:
            raise RuleFileError(f"rule {code}: two rules have this code")
    return make_rule_set(rules, version=hashlib.sha256(data).hexdigest()[:12])


def make_rule_set(rules: Sequence[PolicyRule], *, version: str) -> RuleSet:
    """Put rules together. Raises RuleFileError where their patterns are too large together."""
    every: tuple[Action, ...] = ("flag", "consent", "redact", "block")
    wanted: dict[str, tuple[Stage, tuple[Action, ...]]] = {
        "input": ("input", every),
        "output": ("output", every),
        "stream": ("output", ("redact", "block")),
    }
    indexes = _index(rules, wanted)
    made = {
        name: _stage(rules, stage, actions, _found_at(name, indexes))
        for name, (stage, actions) in wanted.items()
    }
    return RuleSet(
        version=version,
        rules=tuple(rules),
        stages={stage: made[stage] for stage in STAGES},
        stream=made["stream"],
    )


def _index(
    rules: Sequence[PolicyRule], wanted: Mapping[str, tuple[Stage, tuple[Action, ...]]]
) -> dict[frozenset[str], KeywordIndex]:
    """Return an index for each group of rules that act at the same places, so that no word is held twice."""
    words: dict[frozenset[str], list[Keyword]] = defaultdict(list)
    for number, rule in enumerate(rules):
        places = frozenset(
            name for name, (stage, actions) in wanted.items() if rule.actions.get(stage) in actions
        )
        words[places] += [read_keyword(word, owner=number) for word in rule.words if places]
    return {places: KeywordIndex(found) for places, found in words.items() if found}


def _found_at(name: str, indexes: Mapping[frozenset[str], KeywordIndex]) -> KeywordIndexes:
    return KeywordIndexes(index for places, index in indexes.items() if name in places)


def _stage(
    rules: Sequence[PolicyRule],
    stage: Stage,
    actions: tuple[Action, ...],
    keywords: KeywordIndexes,
) -> StageRules:
    acting = {number: rule for number, rule in enumerate(rules) if rule.actions.get(stage) in actions}
    patterns = tuple(rule for rule in acting.values() if rule.kind == "pattern")
    numerals = tuple(rule for rule in patterns if rule.numerals)
    try:
        return StageRules(
            rules=tuple(acting.values()),
            by_place=acting,
            patterns=patterns,
            whole=tuple(rule for rule in acting.values() if rule.kind in WHOLE),
            keywords=keywords,
            any_pattern=_any_match(patterns),
            any_beginning=_any_beginning(patterns),
            numerals=numerals,
            any_number=_any_match(numerals),
            any_number_beginning=_any_beginning(numerals),
        )
    except re2.error as error:
        raise RuleFileError(f"the patterns are too large together: {error}") from error


def _any_match(rules: Iterable[PolicyRule]) -> Any:
    return _compile(_any_of(rule.pattern.pattern for rule in rules))


def _any_beginning(rules: Iterable[PolicyRule]) -> Any:
    return _compile(rf"(?:{_any_of(rule.beginnings for rule in rules)})\z")


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns) or NOTHING


def read_rule(row: Any, *, order: int) -> PolicyRule:
    """Return the rule that a table describes. Raises RuleFileError, which names the rule and the fault."""
    code = str(row.get("code", "?")) if isinstance(row, dict) else "?"
    try:
        _check_shape(row)
        common: dict[str, Any] = {
            "code": code,
            "title": {str(language): str(text) for language, text in row["title"].items()},
            "actions": {stage: row[stage] for stage in STAGES if stage in row and row.get("enabled", True)},
            "mask": row.get("mask", "▇▇▇"),
            "order": order,
            "category": row.get("category", ""),
            "priority": row.get("priority", 0),
            "locked": row.get("locked", False),
        }
        if "keywords" in row:
            return PolicyRule(kind="keywords", words=_words(row["keywords"]), **common)
        if "injection" in row:
            default_detector()  # read now, so that nobody's question waits for it
            return PolicyRule(kind="injection", threshold=float(row["injection"]), **common)
        if "length" in row:
            return PolicyRule(kind="length", max_chars=row["length"], **common)
        source = _source(row["pattern"])
        return PolicyRule(
            kind="pattern",
            pattern=_compile(source),
            beginnings=beginnings_of(source),
            is_valid=VALIDATORS[row.get("validator", "any")],
            numerals=row.get("numerals", False),
            **common,
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
    texts = [row.get(key, "") for key in ("category", "code", "pattern", "validator", "mask")]
    demands = {
        f"{', '.join(sorted(unknown))} is unknown": not unknown,
        "category, code, pattern, validator and mask are texts": all(isinstance(text, str) for text in texts),
        "priority is a whole number": type(row.get("priority", 0)) is int,
        "needs a code of letters and digits, joined by . _ or -": _CODE.fullmatch(str(row.get("code", ""))),
        "needs a title in en, and titles are texts": _are_titles(row.get("title")),
        "is UTF-8: half a character is none": _is_encodable(row),
        "locked is true or false": type(row.get("locked", False)) is bool,
        "enabled is true or false": type(row.get("enabled", True)) is bool,
        "numerals is true or false, for a pattern": type(row.get("numerals", False)) is bool
        and ("pattern" in row or "numerals" not in row),
        "needs input or output = block, redact, consent or flag": actions
        and all(isinstance(action, str) and action in STRENGTH and action != "allow" for action in actions),
        "consent is asked for questions only, not for output": row.get("output") != "consent",
        "needs one of keywords, pattern, injection and length": sum(key in row for key in WAYS) == 1,
        "injection is a score between 0 and 1": _is_score(row.get("injection", 0.5)),
        "length is a number of characters, 1 at least": _is_length(row.get("length", 1)),
        "injection and length block or flag questions only": not row.keys() & set(WHOLE)
        or ("output" not in row and row.get("input") in ("block", "flag")),
        "needs one of the validators": str(row.get("validator", "any")) in VALIDATORS,
    }
    for demand, is_met in demands.items():
        if not is_met:
            raise ValueError(demand)


def _are_titles(titles: Any) -> bool:
    return (
        isinstance(titles, dict)
        and bool(titles.get("en"))
        and all(map(_is_text, (*titles, *titles.values())))
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_encodable(row: Any) -> bool:
    """Return whether the table can be stored: JSON can spell halves of characters."""
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_score(value: Any) -> bool:
    return type(value) is float and 0 < value < 1


def _is_length(value: Any) -> bool:
    return type(value) is int and value > 0


def _source(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN_CHARS:
        raise ValueError("the pattern is too long")
    return pattern


def _words(words: Any) -> tuple[str, ...]:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("keywords is a list of texts")
    if not words:
        raise ValueError("there is no keyword")
    for word in words:
        if len(word) > MAX_WORD_CHARS:
            raise ValueError(f"a keyword is longer than {MAX_WORD_CHARS} characters")
        read_keyword(word, owner=0)
    return tuple(words)


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = RE2_MEMORY
    options.never_capture = True
    options.log_errors = False
    return re2.compile(pattern, options)
