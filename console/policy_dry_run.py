"""Show what a draft did with the labelled sample texts, beside what is in force."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from policy.corpus import BENIGN, LET_THROUGH
from policy.models import RuleSetVersion


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the draft and of what is in force, in percent; `tone` tells which of them is better."""

    label: str
    draft: str
    current: str
    tone: str


@dataclass(frozen=True, slots=True)
class Group:
    """The samples of one kind: how many there are, and how many the draft and what is in force caught."""

    name: str
    texts: int
    draft: int
    current: int


@dataclass(frozen=True, slots=True)
class Decided:
    """How many samples that are `expected` to be of a category were decided by rules of which: a line of confusion."""

    expected: str
    decided: str
    draft: int
    current: int
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class Precise:
    """How many samples rules of a category caught, and how many of those they should have caught."""

    name: str
    draft: str
    current: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a dry run found. `caught` of `expected` should be, `alarms` of `benign` should not."""

    texts: int
    caught: int
    expected: int
    alarms: int
    benign: int
    figures: list[Figure]
    expected_groups: list[Group]
    benign_groups: list[Group]
    precise: list[Precise]
    confusion: list[Decided]


def read_dry_run(row: RuleSetVersion) -> DryRun | None:
    """Return the figures of the last dry run of a version; None where nothing was tried since the last change."""
    found: dict[str, Any] = row.figures or {}
    if row.tried_at is None or not {"draft", "current"} <= found.keys():
        return None
    draft, current = found["draft"], found["current"]
    expected, benign = _groups(draft, current, "categories"), _groups(draft, current, "benign")
    return DryRun(
        texts=draft["texts"],
        caught=sum(group.draft for group in expected),
        expected=sum(group.texts for group in expected),
        alarms=sum(group.draft for group in benign),
        benign=sum(group.texts for group in benign),
        figures=[
            _figure(_("Recall: caught of what should be"), draft["recall"], current["recall"], up=1),
            _figure(_("Precision: right among the caught"), draft["precision"], current["precision"], up=1),
            _figure(_("False positives"), draft["false_positives"], current["false_positives"], up=-1),
        ],
        expected_groups=expected,
        benign_groups=benign,
        precise=_precise(draft, current),
        confusion=_confusion(draft, current),
    )


def _figure(label: str, draft: float, current: float, *, up: int) -> Figure:
    better = (draft - current) * up
    tone = "mute" if better == 0 else "ok" if better > 0 else "warn"
    return Figure(label, _percent(draft), _percent(current), tone)


def _groups(draft: dict[str, Any], current: dict[str, Any], key: str) -> list[Group]:
    before = {group["name"]: group["caught"] for group in current[key]}
    return [
        Group(group["name"], group["texts"], group["caught"], before.get(group["name"], 0))
        for group in draft[key]
    ]


def _precise(draft: dict[str, Any], current: dict[str, Any]) -> list[Precise]:
    right, caught = [_by_decider(figures, benign=False) for figures in (draft, current)], []
    for place, figures in enumerate((draft, current)):
        caught.append(right[place] + _by_decider(figures, benign=True))
    names = sorted(caught[0].keys() | caught[1].keys())
    shown = [[f"{right[at][name]} / {caught[at][name]}" for name in names] for at in (0, 1)]
    return [Precise(*row) for row in zip(names, *shown, strict=True)]


def _by_decider(figures: dict[str, Any], *, benign: bool) -> Counter[str]:
    """Count the samples that were caught, benign ones or the others, by the category of the rule that decided."""
    found = Counter[str]()
    for row in figures["confusion"]:
        if row["decided"] != LET_THROUGH and (row["expected"] == BENIGN) == benign:
            found[row["decided"]] += row["texts"]
    return found


def _confusion(draft: dict[str, Any], current: dict[str, Any]) -> list[Decided]:
    """Return the lines with what went wrong first, then by how many samples they are about."""
    counts = [
        {(row["expected"], row["decided"]): row["texts"] for row in figures["confusion"]}
        for figures in (draft, current)
    ]
    lines = [
        Decided(
            "" if expected == BENIGN else expected,
            "" if decided == LET_THROUGH else decided,
            draft=counts[0].get((expected, decided), 0),
            current=counts[1].get((expected, decided), 0),
            is_wrong=(expected == BENIGN) != (decided == LET_THROUGH),
        )
        for expected, decided in counts[0].keys() | counts[1].keys()
    ]
    return sorted(lines, key=lambda line: (not line.is_wrong, -line.draft, line.expected, line.decided))


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
