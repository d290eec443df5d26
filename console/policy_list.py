"""List the rules for the page's left side, and find the ones that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from console.artifacts import Mark, Text
from console.policy_words import KINDS, STAGES, mark_of
from policy.ruleset import PolicyRule

_STRONGEST_FIRST = ("block", "redact", "consent", "flag", "allow")


@dataclass(frozen=True, slots=True)
class Listed:
    """One rule as the list names it; `action` is its strongest."""

    code: str
    title: str
    icon: str
    kind: Text
    stages: str
    action: Mark
    hits: int


@dataclass(frozen=True, slots=True)
class Tab:
    """One choice above the list, with how many rules it leaves."""

    key: str
    label: Text
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class RuleList:
    """The rules that were asked for; `wanted` and `kind` say by what."""

    rows: list[Listed]
    tabs: list[Tab]
    wanted: str
    kind: str


def list_rules(rules: Sequence[PolicyRule], *, hits: Mapping[str, int], wanted: str, kind: str) -> RuleList:
    """Return the rules whose code or title has the wanted text, and that are of the kind; "" is every kind."""
    language = get_language() or ""
    found = [rule for rule in rules if _has(rule, wanted, language=language)]
    shown = [rule for rule in found if _is_of(rule, kind)]
    return RuleList(
        rows=[_listed(rule, hits=hits.get(rule.code, 0), language=language) for rule in shown],
        tabs=[_tab(key, label, found, current=kind) for key, label in _kinds().items()],
        wanted=wanted,
        kind=kind,
    )


def _kinds() -> dict[str, Text]:
    return {"": _("all"), **KINDS, "output": _("answers")}


def _has(rule: PolicyRule, wanted: str, *, language: str) -> bool:
    return wanted.strip().casefold() in f"{rule.code} {rule.title_in(language)}".casefold()


def _is_of(rule: PolicyRule, kind: str) -> bool:
    return kind in ("", rule.kind) or (kind == "output" and "output" in rule.actions)


def _tab(key: str, label: Text, rules: Sequence[PolicyRule], *, current: str) -> Tab:
    return Tab(key, label, sum(_is_of(rule, key) for rule in rules), key == current)


def _listed(rule: PolicyRule, *, hits: int, language: str) -> Listed:
    strongest = min(rule.actions.values(), key=_STRONGEST_FIRST.index)
    return Listed(
        code=rule.code,
        title=rule.title_in(language),
        icon=rule.kind,
        kind=KINDS[rule.kind],
        stages=" / ".join(str(STAGES[stage]) for stage in rule.actions),
        action=mark_of(strongest),
        hits=hits,
    )
