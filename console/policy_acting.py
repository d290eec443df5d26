"""Keep the rule sets that the bench tries texts against: composing long lists takes a second, an answer must not."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from policy.models import RuleSetVersion
from policy.ruleset import RuleSet
from policy.rulesets import rules_in

# A draft and what is in force, for one or two officers at a time.
_KEPT = 4


def acting_rules(version: RuleSetVersion | None) -> RuleSet:
    """Return a version as it acts; None is the base alone. Raises RuleFileError."""
    if version is None:
        return rules_in(None)
    return _composed(version.pk, version.changed_at)


@lru_cache(maxsize=_KEPT)
def _composed(version_id: UUID, _changed_at: datetime) -> RuleSet:
    return rules_in(RuleSetVersion.objects.get(pk=version_id))
