"""Have the rule sets at hand that the bench tries texts against.

What is in force is what turns use, from the same place. Drafts are kept: putting long lists together takes a second.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from policy.models import RuleSetVersion
from policy.ruleset import RuleSet
from policy.rulesets import rules_in
from policy.serving import rule_sets

# Drafts of a few organisations at a time.
_KEPT = 4


def acting_rules(draft: RuleSetVersion | None) -> RuleSet:
    """Return a draft as it would act; for None, the rules in force in the organisation's scope.

    Raises RuleFileError, PolicyUnavailable.
    """
    return rule_sets().load_for_scope() if draft is None else _composed(draft.pk, draft.changed_at)


@lru_cache(maxsize=_KEPT)
def _composed(version_id: UUID, _changed_at: datetime) -> RuleSet:
    return rules_in(RuleSetVersion.objects.get(pk=version_id))
