"""Try a text against a rule set, and show what the engine found where. Nothing of the text outlives the request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from console.artifacts import Mark
from console.policy_words import VERDICTS, mark_of
from policy.engine import mask
from policy.ruleset import Match, PolicyDecision, RuleSet, Stage
from policy.services import decide
from policy.signals import signal_title

# More would neither be read nor be quick to draw; how many are left out is said.
MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """One match: its number, its rule, where it begins and ends (the first character is 1), and how it was read.

    For an injection, `signal` says what was seen and `layers` under which encodings; `points` are the signal's, and
    `score` is that of the whole text.
    """

    number: int
    code: str
    title: str
    action: Mark
    first: int
    last: int
    form: str
    mask: str
    decides: bool
    signal: str = ""
    layers: str = ""
    points: str = ""
    score: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the text under the same matches; `numbers` are those of the matches that end with it."""

    text: str
    tone: str = ""
    numbers: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the engine said of a text; `goes_on` is the text as it would go on, where it would be changed."""

    mark: Mark
    pieces: tuple[Piece, ...]
    hits: tuple[Hit, ...]
    unshown: int
    rules: int
    took_ms: str
    goes_on: str


def try_text(text: str, rules: RuleSet, *, stage: Stage) -> Verdict:
    """Return what the rules say of the text at the stage, as they say it in a turn.

    Raises PromptTooLong, PolicyUnavailable.
    """
    began = perf_counter()
    decision = decide(text, rules, stage=stage)
    took = perf_counter() - began
    shown = decision.matches[:MAX_SHOWN]
    return Verdict(
        mark=VERDICTS[stage, decision.action],
        pieces=tuple(_pieces(text, shown, stage=stage)),
        hits=tuple(_hits(decision, shown, stage=stage)),
        unshown=len(decision.matches) - len(shown),
        rules=len(rules.at(stage).rules),
        took_ms=f"{took * 1000:.1f}",
        goes_on=_goes_on(text, decision, stage=stage),
    )


def _hits(decision: PolicyDecision, shown: Sequence[Match], *, stage: Stage) -> Iterator[Hit]:
    language = get_language() or ""
    for number, match in enumerate(shown, start=1):
        action = match.rule.actions[stage]
        yield Hit(
            number=number,
            code=match.rule.code,
            title=match.rule.title_in(language),
            action=mark_of(action),
            first=match.start + 1,
            last=match.end,
            form=match.form,
            mask=match.rule.mask if action == "redact" else "",
            decides=match.rule is decision.rule,
            **_signal(match, language),
        )


def _signal(match: Match, language: str) -> dict[str, str]:
    if not match.signal:
        return {}
    *layers, name = match.signal.split(" > ")
    return {
        "signal": signal_title(name, language=language),
        "layers": " > ".join(layers),
        "points": f"{match.points:+.1f}",
        "score": f"{match.score:.2f}",
    }


def _pieces(text: str, shown: Sequence[Match], *, stage: Stage) -> Iterator[Piece]:
    """Cut the text wherever a match begins or ends; where several cover a piece, the first one colours it."""
    cuts = {0, len(text)} | {match.start for match in shown} | {match.end for match in shown}
    for start, end in pairwise(sorted(cuts)):
        above = [at for at, match in enumerate(shown) if match.start <= start and end <= match.end]
        ending = [str(at + 1) for at in above if shown[at].end == end]
        tone = str(mark_of(shown[above[0]].rule.actions[stage]).tone) if above else ""
        yield Piece(text[start:end], tone=tone, numbers=" ".join(ending))


def _goes_on(text: str, decision: PolicyDecision, *, stage: Stage) -> str:
    if decision.action != "redact":
        return ""
    return mask(text, [match for match in decision.matches if match.rule.actions[stage] == "redact"])


def too_long(limit: int) -> str:
    """Return what is said of a text that the portal refuses before any rule sees it."""
    return _("Longer than %(limit)s characters: refused before any rule is asked.") % {"limit": f"{limit:,}"}
