"""Try a draft on a corpus beside what is in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accounts.models import User
from accounts.roles import POLICY_EDIT
from policy.corpus import Sample, measure, seed_corpus
from policy.errors import RuleRefused
from policy.history import require
from policy.lifecycle import note_dry_run
from policy.models import RuleSetVersion
from policy.ruleset import RuleFileError
from policy.versions import current_version, rules_in


def dry_run(draft: RuleSetVersion, *, by: User, corpus: Sequence[Sample] | None = None) -> dict[str, Any]:
    """Measure the draft and what is in force on a corpus (the portal's own where none is given), and store the figures.

    Takes a second or two for a thousand texts. Raises RuleRefused, WrongStage, PermissionMissing.
    """
    require(by, POLICY_EDIT)
    samples = seed_corpus() if corpus is None else corpus
    try:
        figures = {
            "draft": measure(samples, rules_in(draft)).as_json(),
            "current": measure(samples, rules_in(current_version())).as_json(),
        }
    except RuleFileError as error:
        raise RuleRefused(str(error)) from None
    note_dry_run(draft, figures, by=by)
    return figures
