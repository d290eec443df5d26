"""Put together what the policy pages show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings
from django.utils.translation import get_language

from common.errors import NotFound
from console.artifacts import Mark, Text
from console.policy_bench import Verdict, too_long, try_text
from console.policy_list import RuleList, list_rules
from console.policy_words import KINDS, STAGES, mark_of
from console.statistics import rule_hits_today
from policy.ruleset import PolicyRule, RuleSet, Stage
from policy.services import active_rules


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list was asked for, and which rule is open."""

    wanted: str = ""
    kind: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """The test bench: what was typed, and what the engine said of it."""

    text: str = ""
    stage: Stage = "input"
    verdict: Verdict | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class OpenRule:
    """The rule that is open, as it stands in the set."""

    code: str
    title: str
    icon: str
    kind: Text
    priority: int
    category: str
    mask: str
    actions: list[tuple[Text, Mark]]
    words: tuple[str, ...]
    pattern: str


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """The page of all rules."""

    version: str
    list: RuleList
    rule: OpenRule | None
    bench: Bench


def policy_page(tenant_id: UUID, asked: Asked, *, bench: Bench | None = None) -> PolicyPage:
    """Return the page of all rules. Raises NotFound where the rule that is asked for does not exist."""
    rules = active_rules()
    hits = rule_hits_today(tenant_id)
    shown = list_rules(rules.rules, hits=hits, wanted=asked.wanted, kind=asked.kind)
    return PolicyPage(version=rules.version, list=shown, rule=_open(rules, asked), bench=bench or Bench())


def try_on_bench(text: str, *, stage: Stage) -> Bench:
    """Return the bench with the engine's decision on the text."""
    tried = Bench(text=text, stage=stage)
    limit = settings.PORTAL.max_prompt_chars
    if len(text) > limit:
        return replace(tried, error=too_long(limit))
    return replace(tried, verdict=try_text(text, active_rules(), stage=stage)) if text else tried


def _open(rules: RuleSet, asked: Asked) -> OpenRule | None:
    """Return the rule that is asked for, or the first of the set."""
    if not asked.code:
        return _show(rules.rules[0]) if rules.rules else None
    rule = next((rule for rule in rules.rules if rule.code == asked.code), None)
    if rule is None:
        raise NotFound
    return _show(rule)


def _show(rule: PolicyRule) -> OpenRule:
    return OpenRule(
        code=rule.code,
        title=rule.title_in(get_language() or ""),
        icon=rule.kind,
        kind=KINDS[rule.kind],
        priority=rule.priority,
        category=rule.category,
        mask=rule.mask,
        actions=[(STAGES[stage], mark_of(action)) for stage, action in rule.actions.items()],
        words=rule.words,
        pattern=rule.pattern.pattern if rule.pattern else "",
    )
