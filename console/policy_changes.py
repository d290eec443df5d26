"""Tell how two versions of the rules differ: rule by rule, words counted, patterns before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from console.artifacts import Mark, Text
from console.policy_words import STAGES, VALIDATOR_NAMES, mark_of
from policy.base import base_rules
from policy.models import RuleSetVersion
from policy.rulesets import LayerRule, RuleChange, diff

# Enough to see which list it is; the counts say the rest.
WORDS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of a rule, before and after; code is shown letter by letter."""

    label: Text
    before: str
    after: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Words that came or went: how many, and the first of them."""

    count: int
    shown: tuple[str, ...]

    @property
    def more(self) -> int:
        """Return how many are not shown."""
        return self.count - len(self.shown)


@dataclass(frozen=True, slots=True)
class Change:
    """How one rule differs; `weakens` where a text that was stopped, masked or asked about may pass now."""

    code: str
    title: str
    mark: Mark
    weakens: bool
    differences: list[Difference]
    added: Words
    removed: Words


def changes_between(before: RuleSetVersion | None, after: RuleSetVersion | None) -> list[Change]:
    """Return what differs between two versions; None stands for the base alone."""
    titles = {rule.code: rule.title_in(get_language() or "") for rule in base_rules().rules}
    return [_show(change, titles) for change in diff(before, after)]


def _show(change: RuleChange, titles: dict[str, str]) -> Change:
    entry = change.after or change.before
    return Change(
        code=change.code,
        title=_title(entry, titles) if entry else change.code,
        mark=_mark(change),
        weakens=change.weakens,
        differences=[*_acts(change), *_parts(change)],
        added=Words(len(change.added), change.added[:WORDS_SHOWN]),
        removed=Words(len(change.removed), change.removed[:WORDS_SHOWN]),
    )


def _title(entry: LayerRule, titles: dict[str, str]) -> str:
    own: dict[str, str] = entry.row.get("title", {})
    return own.get(get_language() or "") or own.get("en") or titles.get(entry.code, entry.code)


def _mark(change: RuleChange) -> Mark:
    entry = change.after or change.before
    if entry is not None and entry.changes_base:
        return (
            Mark("info", _("base rule changed")) if change.after else Mark("info", _("as in the base again"))
        )
    if change.before is None:
        return Mark("ok", _("new"))
    return Mark("danger", _("removed")) if change.after is None else Mark("info", _("changed"))


def _acts(change: RuleChange) -> list[Difference]:
    base = {rule.code: rule.actions for rule in base_rules().rules}.get(change.code, {})
    rows = []
    for stage, label in STAGES.items():
        kept = str(base.get(stage, "off"))  # type: ignore[call-overload]
        before, after = (_row(side).get(stage, kept) for side in (change.before, change.after))
        if before != after:
            is_new, is_gone = (side is None and not base for side in (change.before, change.after))
            old, new = str(mark_of(before).text), str(mark_of(after).text)
            rows.append(Difference(label, "" if is_new else old, "" if is_gone else new))
    return rows


def _parts(change: RuleChange) -> list[Difference]:
    before, after = _row(change.before), _row(change.after)
    rows = [
        Difference(
            label, str(before.get(key, "")), str(after.get(key, "")), is_code=key in ("pattern", "mask")
        )
        for key, label in _labels().items()
    ]
    rows.append(Difference(_("State"), _state(change.before), _state(change.after)))
    rows.append(Difference(_("Check"), _validator(before), _validator(after)))
    rows.append(Difference(_("Title"), _titles(before), _titles(after)))
    return [row for row in rows if row.before != row.after]


def _state(entry: LayerRule | None) -> str:
    if entry is None or entry.changes_base:
        return ""
    return _("switched on") if entry.row.get("enabled", True) else _("switched off")


def _labels() -> dict[str, str]:
    return {"pattern": _("Pattern"), "mask": _("Mask"), "category": _("Category"), "priority": _("Priority")}


def _validator(row: dict[str, Any]) -> str:
    name = row.get("validator", "any")
    return "" if name == "any" else str(VALIDATOR_NAMES.get(name, name))


def _titles(row: dict[str, Any]) -> str:
    return " · ".join(row.get("title", {}).values())


def _row(entry: LayerRule | None) -> dict[str, Any]:
    return entry.row if entry else {}
