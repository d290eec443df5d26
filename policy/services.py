"""Clear prompts and answers: the two screens of every turn.

`ClearedPrompt` and `ClearedText` can only be had here, so a text that was not screened does not type-check further on.
Whatever breaks in a rule, or takes too long, the text does not pass.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.conf import settings

from common.errors import PortalError
from common.tracebacks import where
from policy.budget import Check, budget_for
from policy.engine import evaluate, find_matches, mask, settled_to, strongest
from policy.errors import ConsentInPlace, OutputBlocked, PolicyUnavailable, PromptBlocked, PromptTooLong
from policy.normalise import CONTEXT_LETTERS, normalise
from policy.ruleset import Action, Match, PolicyDecision, RuleSet, Stage
from policy.serving import rule_sets

logger = logging.getLogger("portal.policy")

# Longer texts are looked at off the event loop: a few milliseconds of everybody's time are enough.
LONG_CHARS = 4000


@dataclass(frozen=True, slots=True)
class ClearedPrompt:
    """A prompt that may go to the model and into the store; masked where a rule says so.

    `rules` are those of the whole turn, whatever is published meanwhile. The tuples name rules by code.
    """

    text: str
    rules: RuleSet
    redacted_by: tuple[str, ...] = ()
    flagged_by: tuple[str, ...] = ()
    consented_to: tuple[str, ...] = ()

    @property
    def policy_version(self) -> str:
        """Return the version of the rules that cleared it."""
        return self.rules.version


@dataclass(frozen=True, slots=True)
class ClearedText:
    """A part of an answer that may be shown and stored."""

    text: str


@contextmanager
def failing_closed() -> Iterator[None]:
    """Turn whatever goes wrong with the rules into PolicyUnavailable; the log says where, never with what text."""
    try:
        yield
    except PortalError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever breaks here, an unchecked text must not pass
        logger.error("the rules could not be applied: %s", where(error))
        raise PolicyUnavailable from None


def decide(text: str, rules: RuleSet, *, stage: Stage) -> PolicyDecision:
    """Return what the rules say of a whole text, within its budget of time.

    Raises PromptTooLong, for questions, and PolicyUnavailable.
    """
    if stage == "input" and len(text) > settings.PORTAL.max_prompt_chars:
        raise PromptTooLong
    with failing_closed():
        return evaluate(text, rules, stage=stage, check=_budget(text))


def clear_prompt(text: str, rules: RuleSet, *, confirmed: frozenset[str] = frozenset()) -> ClearedPrompt:
    """Return the prompt, cleared by the rules; a stopped one is kept nowhere.

    `confirmed` are codes of rules whose use of sensitive information the person has agreed to.
    Raises PromptTooLong, PromptBlocked, ConsentInPlace, PolicyUnavailable.
    """
    decision = decide(text, rules, stage="input")
    with failing_closed():
        if decision.action == "block":
            raise PromptBlocked(decision, policy_version=rules.version)
        masking, asking = _of(decision, "redact"), _uncovered(decision)
        unasked = tuple(match for match in asking if match.rule.code not in confirmed)
        if unasked:
            asked = PolicyDecision(
                "consent", strongest((match.rule for match in unasked), stage="input"), unasked
            )
            raise ConsentInPlace(asked, policy_version=rules.version)
        return ClearedPrompt(
            text=mask(text, masking),
            rules=rules,
            redacted_by=_codes(masking),
            flagged_by=_codes(_of(decision, "flag")),
            consented_to=_codes(asking),
        )


async def aclear_prompt(text: str, rules: RuleSet, *, confirmed: frozenset[str]) -> ClearedPrompt:
    """Do the same, a long text off the event loop."""
    if len(text) <= LONG_CHARS:
        return clear_prompt(text, rules, confirmed=confirmed)
    return await asyncio.to_thread(clear_prompt, text, rules, confirmed=confirmed)


class OutputScreen:
    """Screen an answer while it is written.

    What may be the beginning of a match, or of a longer one, is held back until the next words show what it is;
    everything else passes at once. However the answer is cut into pieces, what comes out is what would have come out
    of the whole. After OutputBlocked or PolicyUnavailable nothing more comes out. Rules that only take note look at
    the whole answer at its end.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.redacted_by: tuple[str, ...] = ()
        self.flagged_by: tuple[str, ...] = ()
        self._rules = rules
        self._acting = self._rules.stream
        self._notes = any(rule.actions["output"] == "flag" for rule in self._rules.at("output").rules)
        self._whole: list[str] = []
        self._held = ""
        self._context = ""
        self._settled = 0
        self._refusal: OutputBlocked | PolicyUnavailable | None = None

    def feed(self, piece: str) -> ClearedText:
        """Take the next piece and return what may be shown now, maybe nothing. Raises OutputBlocked."""
        if self._notes:
            self._whole.append(piece)
        self._held += piece
        return self._cleared(is_end=False)

    def finish(self) -> ClearedText:
        """Return the rest. Raises OutputBlocked."""
        cleared = self._cleared(is_end=True)
        if self._notes:
            self._note("".join(self._whole))
        return cleared

    def require_clear(self, rendered: str, *, source: str) -> None:
        """Refuse what only its rendering puts together, as a word with a link in it: `source` was cleared already.

        What the source itself matches are masks. Nothing can be masked in what is rendered, so such an answer is
        withdrawn whatever the rule does. Raises OutputBlocked, PolicyUnavailable.
        """
        with failing_closed():
            known = Counter(match.rule.code for match in self._matches(source))
            found = [match for match in self._matches(rendered) if not _take_one(known, match.rule.code)]
            rule = strongest((match.rule for match in found), stage="output")
            if rule is not None:
                raise OutputBlocked(PolicyDecision(action="block", rule=rule, matches=tuple(found)))

    def _matches(self, text: str) -> list[Match]:
        return find_matches(normalise(text), self._acting, check=_budget(text))

    def _note(self, answer: str) -> None:
        decision = decide(answer, self._rules, stage="output")
        self.flagged_by = _codes(
            match for match in decision.matches if match.rule.actions["output"] == "flag"
        )

    def _cleared(self, *, is_end: bool) -> ClearedText:
        if self._refusal is None:
            try:
                with failing_closed():
                    return self._release(is_end=is_end)
            except (OutputBlocked, PolicyUnavailable) as refusal:
                self._refusal = refusal
        self._held, self._whole = "", []
        raise self._refusal

    def _release(self, *, is_end: bool) -> ClearedText:
        text, check = self._held, _budget(self._held)
        seen = normalise(text, context=self._context)
        matches = find_matches(seen, self._acting, check=check)
        cut = len(text) if is_end else settled_to(text, seen, matches=matches, acting=self._acting)
        check()
        settled = [match for match in matches if match.end <= cut]
        _refuse_blocked(settled, at=self._settled)
        self._settled += cut
        self._held = text[cut:]
        self._context = seen.letters_before(cut)[-CONTEXT_LETTERS:]
        self.redacted_by = tuple(dict.fromkeys((*self.redacted_by, *_codes(settled))))
        return ClearedText(mask(text[:cut], settled))


def rule_title(code: str, *, language: str) -> str:
    """Return the title of a rule of the scope's organisation, or its code where its rules no longer have it."""
    try:
        rules = rule_sets().load_for_scope()
    except PolicyUnavailable:
        return code
    return next((rule.title_in(language) for rule in rules.rules if rule.code == code), code)


def _refuse_blocked(settled: Sequence[Match], *, at: int) -> None:
    """Raise OutputBlocked where a blocking rule matched; `at` is how much of the answer went before these places."""
    rule = strongest((match.rule for match in settled), stage="output")
    if rule is not None and rule.actions["output"] == "block":
        places = tuple(replace(match, start=match.start + at, end=match.end + at) for match in settled)
        raise OutputBlocked(PolicyDecision(action="block", rule=rule, matches=places))


def _budget(text: str) -> Check:
    return budget_for(len(text), budget_ms=settings.PORTAL.policy_budget_ms)


def _of(decision: PolicyDecision, action: Action) -> list[Match]:
    return [match for match in decision.matches if match.rule.actions["input"] == action]


def _uncovered(decision: PolicyDecision) -> tuple[Match, ...]:
    """Return what asks for consent, but for what is masked anyway."""
    masking = _of(decision, "redact")
    return tuple(
        match
        for match in _of(decision, "consent")
        if not any(masked.start <= match.start and match.end <= masked.end for masked in masking)
    )


def _take_one(counted: Counter[str], code: str) -> bool:
    """Return whether there was one left, and take it."""
    counted[code] -= 1
    return counted[code] >= 0


def _codes(matches: Iterable[Match]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match.rule.code for match in matches))
