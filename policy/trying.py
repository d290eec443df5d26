"""Try a draft on a corpus beside what is in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from accounts.roles import POLICY_EDIT
from policy.budget import no_budget
from policy.corpus import Sample, measure, seed_corpus
from policy.errors import RuleChanged, RuleRefused
from policy.history import require
from policy.lifecycle import note_dry_run
from policy.models import RuleSetVersion
from policy.ruleset import RuleFileError, RuleSet
from policy.versions import current_version, rules_in


@dataclass(frozen=True, slots=True)
class DryRun:
    """What is compared on which texts, read from the database already; `changed_at` is when the draft said so."""

    draft: RuleSet
    current: RuleSet
    samples: Sequence[Sample]
    changed_at: datetime

    @property
    def total(self) -> int:
        """Return how many looks at a text this takes."""
        return 2 * len(self.samples)

    def measure(self, *, tick: Callable[[], None] = no_budget) -> dict[str, Any]:
        """Return the figures of both. Needs no database; `tick` is called before each look, and may raise to stop."""
        return {
            "draft": measure(self.samples, self.draft, tick=tick).as_json(),
            "current": measure(self.samples, self.current, tick=tick).as_json(),
        }


def prepare_dry_run(draft: RuleSetVersion, *, by: User, corpus: Sequence[Sample] | None = None) -> DryRun:
    """Return what a dry run needs, on the portal's own corpus where none is given.

    Raises RuleRefused, PermissionMissing.
    """
    require(by, POLICY_EDIT)
    samples = seed_corpus() if corpus is None else corpus
    try:
        return DryRun(rules_in(draft), rules_in(current_version()), samples, draft.changed_at)
    except RuleFileError as error:
        raise RuleRefused(str(error)) from None


def finish_dry_run(draft: RuleSetVersion, run: DryRun, figures: dict[str, Any], *, by: User) -> None:
    """Store the figures. Raises WrongStage, and RuleChanged where the draft was written on meanwhile."""
    draft.refresh_from_db()
    if draft.changed_at != run.changed_at:
        raise RuleChanged
    note_dry_run(draft, figures, by=by)


def dry_run(draft: RuleSetVersion, *, by: User, corpus: Sequence[Sample] | None = None) -> dict[str, Any]:
    """Measure the draft and what is in force on a corpus, and store the figures.

    Takes some seconds for thousands of texts. Raises RuleRefused, RuleChanged, WrongStage, PermissionMissing.
    """
    run = prepare_dry_run(draft, by=by, corpus=corpus)
    figures = run.measure()
    finish_dry_run(draft, run, figures, by=by)
    return figures
