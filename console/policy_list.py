"""List the rules for the page's left side, and find the ones that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from console.artifacts import Mark, Text
from console.policy_set import SetRule
from console.policy_words import KINDS, OFF, STAGES, mark_of
from policy.ruleset import STRENGTH
from policy.rulesets import RuleFigures


@dataclass(frozen=True, slots=True)
class Listed:
    """One rule as the list names it; `action` is its strongest."""

    code: str
    title: str
    kind: str
    kind_name: Text
    stages: str
    action: Mark
    is_off: bool
    is_base: bool
    change: str
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


def list_rules(
    rules: Sequence[SetRule], *, figures: Mapping[str, RuleFigures], wanted: str, kind: str
) -> RuleList:
    """Return the rules whose code or title has the wanted text, and that are of the kind; "" is every kind."""
    found = [rule for rule in rules if wanted.strip().casefold() in f"{rule.code} {rule.name}".casefold()]
    shown = [rule for rule in found if _is_of(rule, kind)]
    return RuleList(
        rows=[_listed(rule, figures.get(rule.code)) for rule in shown],
        tabs=[_tab(key, label, found, current=kind) for key, label in _kinds().items()],
        wanted=wanted,
        kind=kind,
    )


def _kinds() -> dict[str, Text]:
    return {"": _("all"), **KINDS, "output": _("answers"), "own": _("own")}


def _is_of(rule: SetRule, kind: str) -> bool:
    return (
        kind in ("", rule.kind)
        or (kind == "output" and "output" in rule.actions)
        or (kind == "own" and not rule.is_base)
    )


def _tab(key: str, label: Text, rules: Sequence[SetRule], *, current: str) -> Tab:
    return Tab(key, label, sum(_is_of(rule, key) for rule in rules), key == current)


def _listed(rule: SetRule, figures: RuleFigures | None) -> Listed:
    actions = rule.actions.values() if rule.enabled else ()
    acting = sorted(actions, key=lambda action: STRENGTH[action])
    return Listed(
        code=rule.code,
        title=rule.name,
        kind=rule.kind,
        kind_name=KINDS[rule.kind],
        stages=" / ".join(str(STAGES[stage]) for stage in STAGES if stage in rule.actions),
        action=mark_of(acting[-1]) if acting else OFF,
        is_off=not acting,
        is_base=rule.is_base,
        change=rule.change,
        hits=figures.hits if figures else 0,
    )
