"""Apply rules to a text, or to a text that is still being written. Pure: no database, no clock, no settings."""

from __future__ import annotations

from policy.normalise import Normalised, normalise
from policy.ruleset import Action, PolicyDecision, PolicyRule, RuleSet, Stage

_STRENGTH: dict[Action, int] = {"allow": 0, "flag": 1, "redact": 2, "block": 3}
Span = tuple[int, int]


def decide(text: str, *, rules: RuleSet, stage: Stage) -> PolicyDecision:
    """Return the strongest decision of the rules at a stage; of equals, the first rule of the file decides."""
    seen = normalise(text)
    best = PolicyDecision(action="allow")
    for rule in rules.at(stage):
        action = rule.actions[stage]
        if _STRENGTH[action] <= _STRENGTH[best.action]:
            continue
        spans = _matches(rule, seen)
        if spans:
            best = PolicyDecision(action=action, rule=rule, spans=spans)
    return best


def redact(text: str, *, rules: RuleSet, stage: Stage) -> tuple[str, tuple[PolicyRule, ...]]:
    """Return the text with every match of a redacting rule masked, and the rules that matched."""
    seen = normalise(text)
    hits: list[tuple[Span, PolicyRule]] = []
    for rule in rules.at(stage):
        if rule.actions[stage] == "redact":
            hits += [(span, rule) for span in _matches(rule, seen)]
    for (start, end), rule in sorted(_without_overlaps(hits), key=lambda hit: hit[0], reverse=True):
        text = text[:start] + rule.mask + text[end:]
    return text, tuple({rule.code: rule for _span, rule in hits}.values())


def _matches(rule: PolicyRule, seen: Normalised) -> tuple[Span, ...]:
    return tuple(
        seen.span(match.start(), match.end())
        for match in rule.pattern.finditer(seen.text)
        if match.end() > match.start() and rule.is_valid(match.group())
    )


def _without_overlaps(hits: list[tuple[Span, PolicyRule]]) -> list[tuple[Span, PolicyRule]]:
    kept: list[tuple[Span, PolicyRule]] = []
    end = -1
    for span, rule in sorted(hits, key=lambda hit: hit[0]):
        if span[0] >= end:
            kept.append((span, rule))
            end = span[1]
    return kept


def held_back(text: str, *, rules: RuleSet, stage: Stage) -> int:
    """Return how many characters at the end of `text` may be the beginning of a match.

    Ordinary text holds back nothing, so that screening adds no delay to the first words of an answer.
    """
    seen = normalise(text)
    longest = 0
    for rule in rules.at(stage):
        match = rule.tail.search(seen.text)
        if match and match.end() > match.start():
            longest = max(longest, len(text) - seen.origin[match.start()])
    return longest
