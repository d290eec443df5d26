"""Lay an organisation's rules over the installation's base. Pure: no database, no settings.

An entry that says what to look for is a rule of the organisation's own, in the form of a rule file's table. Any other
changes a rule of the base: its `input` and `output` take the place of the base's, and "off" takes the
rule out of that stage. A base rule that is `locked` can be made stronger only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from policy.ruleset import (
    STAGES,
    STRENGTH,
    WAYS,
    WHOLE,
    Action,
    PolicyRule,
    RuleFileError,
    RuleSet,
    Stage,
    make_rule_set,
    read_rule,
)

OFF = "off"
MAX_TENANT_RULES = 500
_CHANGE_KEYS = {"code", *STAGES}
_SEARCHES = ("pattern", "validator", "numerals", *WHOLE)


@dataclass(frozen=True, slots=True)
class LayerRule:
    """One entry of a layer; `row` has the keys of a rule file's table, `code` among them."""

    code: str
    row: dict[str, Any]

    @property
    def changes_base(self) -> bool:
        """Return whether the entry changes a rule of the base instead of adding one."""
        return not set(WAYS) & self.row.keys() and self.row.keys() <= _CHANGE_KEYS

    @property
    def stamp(self) -> str:
        """Return what tells two texts of the entry apart."""
        text = json.dumps(self.row, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_entry(entry: LayerRule, base: RuleSet) -> None:
    """Raise RuleFileError where the entry cannot stand over this base."""
    known = {rule.code: rule for rule in base.rules}
    if not entry.changes_base:
        if entry.code in known:
            raise RuleFileError(f"rule {entry.code}: a rule of the base has this code")
        if entry.row.get("locked"):
            raise RuleFileError(f"rule {entry.code}: only rules of the base can be locked")
        read_rule(entry.row, order=0)
        return
    if entry.code not in known:
        raise RuleFileError(f"rule {entry.code}: the base has no such rule")
    _check_change(entry, known[entry.code])


def compose(base: RuleSet, layer: Sequence[LayerRule], *, version: str) -> RuleSet:
    """Return the base with the layer over it; the organisation's own rules come after the base's.

    An entry whose base rule is gone changes nothing; one that weakens what is locked meanwhile has no effect.
    Raises RuleFileError.
    """
    changes = {entry.code: entry for entry in layer if entry.changes_base}
    rules = [change_rule(rule, changes.get(rule.code)) for rule in base.rules]
    rules += [
        read_rule(entry.row, order=len(base.rules) + place)
        for place, entry in enumerate(layer)
        if not entry.changes_base
    ]
    return make_rule_set(rules, version=version)


def _check_change(entry: LayerRule, rule: PolicyRule) -> None:
    wanted = {stage: entry.row[stage] for stage in STAGES if stage in entry.row}
    if not wanted:
        raise RuleFileError(f"rule {entry.code}: needs input or output, an action or off")
    for stage, action in wanted.items():
        if not isinstance(action, str) or (action != OFF and action not in STRENGTH) or action == "allow":
            raise RuleFileError(f"rule {entry.code}: {stage} is block, redact, consent, flag or off")
        if rule.kind in WHOLE and action != OFF and (stage == "output" or action not in ("block", "flag")):
            raise RuleFileError(f"rule {entry.code}: injection and length block or flag questions only")
        if stage == "output" and action == "consent":
            raise RuleFileError(f"rule {entry.code}: consent is asked for questions only, not for output")
        if rule.locked and _strength(action) < _strength(rule.actions.get(stage, "allow")):
            raise RuleFileError(f"rule {entry.code}: is locked and cannot be weakened")


def change_rule(rule: PolicyRule, entry: LayerRule | None) -> PolicyRule:
    """Return a rule of the base as the entry leaves it."""
    if entry is None:
        return rule
    actions = dict(rule.actions)
    for stage in STAGES:
        wanted = entry.row.get(stage)
        if wanted is None or (
            rule.locked and _strength(wanted) < _strength(rule.actions.get(stage, "allow"))
        ):
            continue
        actions.pop(stage, None)
        if wanted != OFF:
            actions[stage] = cast(Action, wanted)
    return replace(rule, actions=actions)


def _strength(action: str) -> int:
    return 0 if action == OFF else STRENGTH[cast(Action, action)]


# --- what changed ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleChange:
    """How one entry differs between two layers; None where a side has none of this code.

    `added` and `removed` are the keywords that came and went. `weakens` is set where a text that was stopped, masked
    or asked about may pass now.
    """

    code: str
    before: LayerRule | None
    after: LayerRule | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    weakens: bool


def diff_layers(
    before: Iterable[LayerRule], after: Iterable[LayerRule], *, base: RuleSet
) -> tuple[RuleChange, ...]:
    """Return what differs, in the order of the codes."""
    old, new = {entry.code: entry for entry in before}, {entry.code: entry for entry in after}
    known = {rule.code: rule for rule in base.rules}
    return tuple(
        _change(code, old.get(code), new.get(code), known)
        for code in sorted(old.keys() | new.keys())
        if _row(old.get(code)) != _row(new.get(code))
    )


def _change(
    code: str, before: LayerRule | None, after: LayerRule | None, base: Mapping[str, PolicyRule]
) -> RuleChange:
    had, has = _words(before), _words(after)
    return RuleChange(
        code=code,
        before=before,
        after=after,
        added=tuple(word for word in has if word not in had),
        removed=tuple(word for word in had if word not in has),
        weakens=_weakens(before, after, base.get(code)),
    )


def _weakens(before: LayerRule | None, after: LayerRule | None, rule: PolicyRule | None) -> bool:
    """Return whether anything acts less than before. Of patterns nobody can tell, so a changed one counts as weaker."""
    if any(_acts(after, stage, rule) < _acts(before, stage, rule) for stage in STAGES):
        return True
    if before is None or before.changes_base or after is None:
        return False
    same_search = all(before.row.get(key) == after.row.get(key) for key in _SEARCHES)
    return not same_search or not _words(before).keys() <= _words(after).keys()


def _acts(entry: LayerRule | None, stage: Stage, rule: PolicyRule | None) -> int:
    row = entry.row if entry else {}
    action = row.get(stage) if row.get("enabled", True) else OFF
    if action is None and rule is not None and (entry is None or entry.changes_base):
        action = rule.actions.get(stage)
    return _strength(action or OFF)


def _words(entry: LayerRule | None) -> dict[str, None]:
    return dict.fromkeys(entry.row.get("keywords", ()) if entry else ())


def _row(entry: LayerRule | None) -> dict[str, Any] | None:
    return entry.row if entry else None
