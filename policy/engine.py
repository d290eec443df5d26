"""Apply rules to a text, or to a text that is still being written. Pure: no database, no clock, no settings.

Which rule decides: the strongest action (block, redact, consent, flag, allow); of equals the higher priority; of equals
the rule that comes first. Every match of every rule is reported, whichever decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from policy.budget import Check, no_budget
from policy.injection import Injection, default_detector
from policy.normalise import Normalised, normalise
from policy.numerals import read_numerals
from policy.ruleset import STRENGTH, Match, PolicyDecision, PolicyRule, RuleSet, Stage, StageRules


def evaluate(
    text: str, rules: RuleSet, *, stage: Stage = "input", check: Check = no_budget
) -> PolicyDecision:
    """Return what the rules say of a text at a stage, with every match from the left. Raises what `check` raises."""
    acting = rules.at(stage)
    seen = normalise(text)
    check()
    found = [*find_matches(seen, acting, check=check), *judge_whole(text, seen, acting, check=check)]
    matches = tuple(sorted(found, key=_from_the_left))
    deciding = strongest((match.rule for match in matches), stage=stage)
    if deciding is None:
        return PolicyDecision(action="allow")
    return PolicyDecision(action=deciding.actions[stage], rule=deciding, matches=matches)


def redact(text: str, *, rules: RuleSet, stage: Stage) -> tuple[str, tuple[PolicyRule, ...]]:
    """Return the text with every match of a redacting rule masked, and the rules that matched."""
    matches = [
        match for match in evaluate(text, rules, stage=stage).matches if match.rule.actions[stage] == "redact"
    ]
    return mask(text, matches), tuple({match.rule.code: match.rule for match in matches}.values())


def strongest(rules: Iterable[PolicyRule], *, stage: Stage) -> PolicyRule | None:
    """Return the rule that decides among those that matched; None where there is none."""
    return max(
        rules, key=lambda rule: (STRENGTH[rule.actions[stage]], rule.priority, -rule.order), default=None
    )


def find_matches(seen: Normalised, acting: StageRules, *, check: Check = no_budget) -> list[Match]:
    """Return every match of keywords and patterns, from the left; of two at one place, the earlier rule's first."""
    return sorted(
        [*_find_keywords(seen, acting, check), *_find_patterns(seen, acting, check)], key=_from_the_left
    )


def judge_whole(
    text: str, seen: Normalised, acting: StageRules, *, check: Check = no_budget
) -> Iterator[Match]:
    """Yield the matches of rules that judge a text as a whole: each signal of an injection; what is too long."""
    injection: Injection | None = None
    for rule in acting.whole:
        if rule.kind == "length":
            if len(text) > rule.max_chars:
                yield Match(rule, rule.max_chars, len(text), "")
            continue
        injection = injection or default_detector().score(text, seen, check=check)
        if injection.score >= rule.threshold:
            yield from _signals(rule, injection, text)


def _signals(rule: PolicyRule, injection: Injection, text: str) -> Iterator[Match]:
    for hit in injection.hits:
        name = " > ".join((*hit.layers, hit.name))
        form = text[hit.start : hit.end]
        yield Match(rule, hit.start, hit.end, form, signal=name, points=hit.points, score=injection.score)


def _from_the_left(match: Match) -> tuple[int, int, int]:
    return match.start, match.rule.order, match.end


def mask(text: str, matches: Sequence[Match]) -> str:
    """Return the text with the matches, ordered from the left, masked; of those that overlap, the first one's mask
    stands for all, so that nothing of any match is left."""
    parts = []
    covered_to = 0
    for match in matches:
        if match.start >= covered_to:
            parts += [text[covered_to : match.start], match.rule.mask]
        covered_to = max(covered_to, match.end)
    return "".join([*parts, text[covered_to:]])


def settled_to(text: str, seen: Normalised, *, matches: Sequence[Match], acting: StageRules) -> int:
    """Return how many characters of a growing text are settled: no match of theirs can begin, grow or end any more.

    Ordinary text is settled to its end, so that screening adds no delay to the first words of an answer. What is
    settled can be taken away without changing how the rest is matched, but for the one letter before it, which belongs
    into the context of the rest.
    """
    opened = acting.keywords.open_from(seen)
    opened = min(opened, _begins(acting.any_beginning, seen))
    numbers = read_numerals(seen) if acting.numerals else None
    if numbers is not None:
        opened = min(opened, numbers.letter_behind(_begins(acting.any_number_beginning, numbers)))
    cut = seen.place(opened) if opened < len(seen.letters) else len(text)
    for match in reversed(matches):
        if match.start < cut < match.end:
            cut = match.start
    return cut


def _begins(beginning: Any, seen: Normalised) -> int:
    """Return the leftmost letter from which on a reading may be the beginning of a match, or its length."""
    found = beginning.search(seen.data, seen.byte_at(seen.context))
    return seen.letter_at(found.start()) if found is not None else len(seen.letters)


def _find_keywords(seen: Normalised, acting: StageRules, check: Check) -> Iterator[Match]:
    for found in acting.keywords.find(seen):
        check()
        form = seen.letters[found.start : found.end]
        yield Match(acting.by_place[found.keyword.owner], *seen.span(found.start, found.end), form)


def _find_patterns(seen: Normalised, acting: StageRules, check: Check) -> Iterator[Match]:
    """Yield what patterns match, at the price of one search where there is nothing."""
    plain = list(_search(acting.any_pattern, acting.patterns, seen, check))
    yield from plain
    numbers = read_numerals(seen) if acting.numerals else None
    if numbers is not None:
        known = {(match.rule.order, match.start, match.end) for match in plain}
        for match in _search(acting.any_number, acting.numerals, numbers, check):
            if (match.rule.order, match.start, match.end) not in known:
                yield match


def _search(anything: Any, rules: Sequence[PolicyRule], seen: Normalised, check: Check) -> Iterator[Match]:
    check()
    begin = seen.byte_at(seen.context)
    if anything.search(seen.data, begin):
        for rule in rules:
            check()
            yield from _find_pattern(rule, seen, begin, check)


def _find_pattern(rule: PolicyRule, seen: Normalised, begin: int, check: Check) -> Iterator[Match]:
    at = begin
    while at < len(seen.data) and (match := rule.pattern.search(seen.data, at)):
        check()
        start, end = match.start(), _valid_end(rule, seen.data, match)
        at = end or start + 1
        if end:
            span = seen.span(seen.letter_at(start), seen.letter_at(end))
            yield Match(rule, *span, seen.data[start:end].decode())


def _valid_end(rule: PolicyRule, data: bytes, match: Any) -> int:
    """Return the end of the longest match that begins here and is valid, or 0.

    A number with others behind it, as a card's with its expiry date, would else hide in a longer match.
    """
    start, end = match.span()
    while end > start and not rule.is_valid(data[start:end].decode()):
        shorter = rule.pattern.match(data, start, end - 1)
        end = shorter.end() if shorter else start
    return end if end > start else 0
