"""Hold the installation's base rules, which every organisation stands on."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from policy.ruleset import DEFAULT_RULES, RuleSet, read_rules


@cache
def base_rules() -> RuleSet:
    """Return the rules of PORTAL_POLICY_FILE, or the portal's own, as they were at the start of this process.

    Raises RuleFileError.
    """
    return read_rules(settings.PORTAL.policy_file or DEFAULT_RULES)
