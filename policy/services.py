"""Clear prompts and answers: the two screens of every turn.

`ClearedPrompt` and `ClearedText` can only be had here, so a text that was not screened does not type-check further on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from django.conf import settings

from policy.engine import decide, held_back, redact
from policy.errors import OutputBlocked, PromptBlocked, PromptTooLong
from policy.ruleset import DEFAULT_RULES, PolicyDecision, RuleSet, read_rules


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


@cache
def active_rules() -> RuleSet:
    """Return the rules of this process: those of PORTAL_POLICY_FILE, or the portal's own. Raises RuleFileError."""
    return read_rules(settings.PORTAL.policy_file or DEFAULT_RULES)


def clear_prompt(text: str) -> ClearedPrompt:
    """Return the prompt, cleared. Raises PromptTooLong and PromptBlocked; a blocked prompt is kept nowhere."""
    if len(text) > settings.PORTAL.max_prompt_chars:
        raise PromptTooLong
    rules = active_rules()
    decision = decide(text, rules=rules, stage="input")
    if decision.action == "block":
        raise PromptBlocked(decision)
    masked, matched = redact(text, rules=rules, stage="input")
    return ClearedPrompt(
        text=masked, policy_version=rules.version, redacted_by=tuple(rule.code for rule in matched)
    )


@dataclass(slots=True)
class OutputScreen:
    """Screen an answer while it is written.

    What may be the beginning of a match is held back until the next words show what it is; everything else passes at
    once. After OutputBlocked nothing more comes out.
    """

    rules: RuleSet = field(default_factory=active_rules)
    redacted_by: tuple[str, ...] = ()
    _held: str = ""

    def feed(self, piece: str) -> ClearedText:
        """Take the next piece and return what may be shown now, maybe nothing. Raises OutputBlocked."""
        self._held += piece
        self._refuse_blocked()
        keep = held_back(self._held, rules=self.rules, stage="output")
        return self._release(len(self._held) - keep)

    def finish(self) -> ClearedText:
        """Return the rest. Raises OutputBlocked."""
        self._refuse_blocked()
        return self._release(len(self._held))

    def _refuse_blocked(self) -> None:
        decision: PolicyDecision = decide(self._held, rules=self.rules, stage="output")
        if decision.action == "block":
            self._held = ""
            raise OutputBlocked(decision)

    def _release(self, count: int) -> ClearedText:
        ready, self._held = self._held[:count], self._held[count:]
        text, matched = redact(ready, rules=self.rules, stage="output")
        codes = (*self.redacted_by, *(rule.code for rule in matched))
        self.redacted_by = tuple(dict.fromkeys(codes))
        return ClearedText(text)


def rule_title(code: str, *, language: str) -> str:
    """Return the title of a rule, or its code where the active rules no longer have it."""
    return next((rule.title_in(language) for rule in active_rules().rules if rule.code == code), code)
