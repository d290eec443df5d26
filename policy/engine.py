"""Apply rules to a text, or to a text that is still being written. Pure: no database, no clock, no settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from policy.normalise import Normalised, normalise
from policy.ruleset import Action, PolicyDecision, PolicyRule, RuleSet, Stage, StreamRules

_STRENGTH: dict[Action, int] = {"allow": 0, "flag": 1, "redact": 2, "block": 3}


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule's match: characters `start` to `end` (excluded) of the original text."""

    start: int
    end: int
    rule: PolicyRule


def decide(text: str, *, rules: RuleSet, stage: Stage) -> PolicyDecision:
    """Return the strongest decision of the rules at a stage; of equals, the first rule of the file decides."""
    seen = normalise(text)
    best = PolicyDecision(action="allow")
    for rule in rules.at(stage):
        action = rule.actions[stage]
        if _STRENGTH[action] <= _STRENGTH[best.action]:
            continue
        hits = tuple(_hits(rule, seen))
        if hits:
            best = PolicyDecision(action=action, rule=rule, spans=tuple((hit.start, hit.end) for hit in hits))
    return best


def redact(text: str, *, rules: RuleSet, stage: Stage) -> tuple[str, tuple[PolicyRule, ...]]:
    """Return the text with every match of a redacting rule masked, and the rules that matched."""
    redacting = [rule for rule in rules.at(stage) if rule.actions[stage] == "redact"]
    hits = find_hits(normalise(text), redacting)
    return mask(text, hits), tuple({hit.rule.code: hit.rule for hit in hits}.values())


def find_hits(seen: Normalised, rules: Sequence[PolicyRule]) -> list[Hit]:
    """Return every valid match of the rules, from the left; of two at one place, the earlier rule's first."""
    return sorted((hit for rule in rules for hit in _hits(rule, seen)), key=lambda hit: hit.start)


def mask(text: str, hits: Sequence[Hit]) -> str:
    """Return the text with the hits, ordered from the left, masked; of those that overlap, the first one's mask stands
    for all, so that nothing of any match is left."""
    parts = []
    covered_to = 0
    for hit in hits:
        if hit.start >= covered_to:
            parts += [text[covered_to : hit.start], hit.rule.mask]
        covered_to = max(covered_to, hit.end)
    return "".join([*parts, text[covered_to:]])


def find_stream_hits(seen: Normalised, stream: StreamRules) -> list[Hit]:
    """Return what `find_hits` would, at the price of one search where there is nothing."""
    return find_hits(seen, stream.rules) if stream.any_match.search(seen.data, seen.context) else []


def settled_to(text: str, seen: Normalised, *, hits: Sequence[Hit], stream: StreamRules) -> int:
    """Return how many characters of a growing text are settled: no match of theirs can begin, grow or end any more.

    Ordinary text is settled to its end, so that screening adds no delay to the first words of an answer. What is
    settled can be taken away without changing how the rest is matched, but for the one byte before it, which belongs
    into the context of the rest.
    """
    open_end = stream.any_beginning.search(seen.data, seen.context)
    is_open = open_end is not None and open_end.start() < len(seen.data)
    cut = seen.place(open_end.start()) if is_open else len(text)
    for hit in reversed(hits):
        if hit.start < cut < hit.end:
            cut = hit.start
    return cut


def _hits(rule: PolicyRule, seen: Normalised) -> Iterator[Hit]:
    at = seen.context
    while at < len(seen.data) and (match := rule.pattern.search(seen.data, at)):
        start, end = match.start(), _valid_end(rule, seen.data, match)
        at = end or start + 1
        if end:
            yield Hit(*seen.span(start, end), rule)


def _valid_end(rule: PolicyRule, data: bytes, match: Any) -> int:
    """Return the end of the longest match that begins here and is valid, or 0.

    A number with others behind it, as a card's with its expiry date, would else hide in a longer match.
    """
    start, end = match.span()
    while end > start and not rule.is_valid(data[start:end].decode()):
        shorter = rule.pattern.match(data, start, end - 1)
        end = shorter.end() if shorter else start
    return end if end > start else 0
