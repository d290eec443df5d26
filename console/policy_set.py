"""Lay out a rule set for the pages: the base's rules, then the organisation's own, without building an index."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import get_language

from console.policy_words import KINDS
from policy.base import base_rules
from policy.layers import LayerRule, change_rule
from policy.models import OPEN, RuleSetVersion, Status
from policy.ruleset import PolicyRule
from policy.rulesets import current_version, layer_of, open_draft
from policy.validators import VALIDATORS

_VALIDATOR_NAMES = {check: name for name, check in VALIDATORS.items()}


@dataclass(frozen=True, slots=True)
class SetRule:
    """One rule of a set. `change` says how it differs from what is in force: "", "new" or "changed".

    One that is not `enabled` does nothing. `bound` is the score or the length from which the rule acts, where it looks
    for neither words nor a pattern.
    `stamp` is the one of the layer's entry, "" where the layer has none. A base rule's `actions` are those that act;
    `base_actions` are the base's own.
    """

    code: str
    title: dict[str, str]
    kind: str
    actions: dict[str, str]
    base_actions: dict[str, str] = field(default_factory=dict)
    priority: int = 0
    category: str = ""
    mask: str = ""
    words: tuple[str, ...] = ()
    pattern: str = ""
    validator: str = "any"
    numerals: bool = False
    enabled: bool = True
    bound: str = ""
    is_base: bool = False
    is_locked: bool = False
    change: str = ""
    stamp: str = ""

    @property
    def name(self) -> str:
        """Return the title in the reader's language, or in English."""
        return self.title.get(get_language() or "") or self.title.get("en") or self.code


@dataclass(frozen=True, slots=True)
class ShownSet:
    """The rules that the pages show: those of the draft where there is one, else those in force."""

    version: RuleSetVersion | None
    current: RuleSetVersion | None
    rules: tuple[SetRule, ...]

    @property
    def draft(self) -> RuleSetVersion | None:
        """Return the version that waits to be published, or None."""
        return self.version if self.version is not None and self.version.status in OPEN else None

    @property
    def is_editable(self) -> bool:
        """Return whether a rule could be written now: there is a draft, or one may be begun."""
        return self.draft is None or self.draft.status == Status.DRAFT

    def rule(self, code: str) -> SetRule | None:
        """Return the rule of this code, or None."""
        return next((rule for rule in self.rules if rule.code == code), None)


def shown_set() -> ShownSet:
    """Return what the pages show in the scope of the organisation."""
    current, draft = current_version(), open_draft()
    layer = layer_of(draft or current)
    before = {entry.code: entry.stamp for entry in layer_of(current)} if draft else None
    return ShownSet(version=draft or current, current=current, rules=tuple(_rules(layer, before)))


def _rules(layer: list[LayerRule], before: dict[str, str] | None) -> list[SetRule]:
    changes = {entry.code: entry for entry in layer if entry.changes_base}
    base = [_of_base(rule, changes.get(rule.code), before) for rule in base_rules().rules]
    return base + [_own(entry, before) for entry in layer if not entry.changes_base]


def _of_base(rule: PolicyRule, entry: LayerRule | None, before: dict[str, str] | None) -> SetRule:
    stamp = entry.stamp if entry else ""
    return SetRule(
        code=rule.code,
        title=rule.title,
        kind=rule.kind,
        actions=_plain(change_rule(rule, entry)),
        base_actions=_plain(rule),
        priority=rule.priority,
        category=rule.category,
        mask=rule.mask,
        words=rule.words,
        pattern=rule.pattern.pattern if rule.pattern else "",
        validator=_VALIDATOR_NAMES.get(rule.is_valid, "any"),
        numerals=rule.numerals,
        bound={"injection": f"{rule.threshold:g}", "length": str(rule.max_chars)}.get(rule.kind, ""),
        is_base=True,
        is_locked=rule.locked,
        change="changed" if before is not None and before.get(rule.code, "") != stamp else "",
        stamp=stamp,
    )


def _plain(rule: PolicyRule) -> dict[str, str]:
    return {stage: action for stage, action in rule.actions.items()}  # noqa: C416 - widens the types of both


def _own(entry: LayerRule, before: dict[str, str] | None) -> SetRule:
    row: dict[str, Any] = entry.row
    return SetRule(
        code=entry.code,
        title=row["title"],
        kind=next(kind for kind in KINDS if kind in row),
        actions={stage: row[stage] for stage in ("input", "output") if stage in row},
        priority=row.get("priority", 0),
        category=row.get("category", ""),
        mask=row.get("mask", ""),
        words=tuple(row.get("keywords", ())),
        pattern=row.get("pattern", ""),
        validator=row.get("validator", "any"),
        numerals=row.get("numerals", False),
        enabled=row.get("enabled", True),
        bound=str(row.get("injection", row.get("length", ""))),
        change=_change(entry, before),
        stamp=entry.stamp,
    )


def _change(entry: LayerRule, before: dict[str, str] | None) -> str:
    if before is None or before.get(entry.code) == entry.stamp:
        return ""
    return "changed" if entry.code in before else "new"
