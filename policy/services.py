"""Clear prompts and answers: the two screens of every turn.

`ClearedPrompt` and `ClearedText` can only be had here, so a text that was not screened does not type-check further on.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from policy.base import base_rules
from policy.engine import evaluate, find_matches, mask, settled_to, strongest
from policy.errors import OutputBlocked, PromptBlocked, PromptTooLong
from policy.normalise import normalise
from policy.ruleset import Match, PolicyDecision, RuleSet


@dataclass(frozen=True, slots=True)
class ClearedPrompt:
    """A prompt that may go to the model and into the store; masked where a rule says so."""

    text: str
    policy_version: str
    redacted_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClearedText:
    """A part of an answer that may be shown and stored."""

    text: str


active_rules = base_rules


def clear_prompt(text: str) -> ClearedPrompt:
    """Return the prompt, cleared. Raises PromptTooLong and PromptBlocked; a blocked prompt is kept nowhere."""
    if len(text) > settings.PORTAL.max_prompt_chars:
        raise PromptTooLong
    rules = active_rules()
    decision = evaluate(text, rules, stage="input")
    if decision.action == "block":
        raise PromptBlocked(decision)
    masking = [match for match in decision.matches if match.rule.actions["input"] == "redact"]
    return ClearedPrompt(
        text=mask(text, masking),
        policy_version=rules.version,
        redacted_by=tuple(dict.fromkeys(match.rule.code for match in masking)),
    )


class OutputScreen:
    """Screen an answer while it is written.

    What may be the beginning of a match, or of a longer one, is held back until the next words show what it is;
    everything else passes at once. However the answer is cut into pieces, what comes out is what would have come out
    of the whole. After OutputBlocked nothing more comes out.
    """

    def __init__(self, rules: RuleSet | None = None) -> None:
        self.redacted_by: tuple[str, ...] = ()
        self._acting = (rules or active_rules()).stream
        self._held = ""
        self._context = ""
        self._blocked: PolicyDecision | None = None

    def feed(self, piece: str) -> ClearedText:
        """Take the next piece and return what may be shown now, maybe nothing. Raises OutputBlocked."""
        self._held += piece
        return self._release(is_end=False)

    def finish(self) -> ClearedText:
        """Return the rest. Raises OutputBlocked."""
        return self._release(is_end=True)

    def _release(self, *, is_end: bool) -> ClearedText:
        text, seen = self._held, normalise(self._held, context=self._context)
        matches = find_matches(seen, self._acting)
        cut = len(text) if is_end else settled_to(text, seen, matches=matches, acting=self._acting)
        settled = [match for match in matches if match.end <= cut]
        self._refuse_blocked(settled)
        self._held = text[cut:]
        self._context = seen.letters_before(cut)[-1:]
        codes = (*self.redacted_by, *(match.rule.code for match in settled))
        self.redacted_by = tuple(dict.fromkeys(codes))
        return ClearedText(mask(text[:cut], settled))

    def _refuse_blocked(self, settled: list[Match]) -> None:
        if self._blocked is None:
            rule = strongest((match.rule for match in settled), stage="output")
            if rule is not None and rule.actions["output"] == "block":
                self._blocked = PolicyDecision(action="block", rule=rule)
        if self._blocked is not None:
            self._held = ""
            raise OutputBlocked(self._blocked)


def rule_title(code: str, *, language: str) -> str:
    """Return the title of a rule, or its code where the active rules no longer have it."""
    return next((rule.title_in(language) for rule in active_rules().rules if rule.code == code), code)
