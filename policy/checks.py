"""Check the rule file before anybody relies on it."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from policy.base import base_rules
from policy.ruleset import RuleFileError


@register()
def check_rule_file(**_: Any) -> list[CheckMessage]:
    """Report a rule file that cannot be used."""
    try:
        base_rules()
    except RuleFileError as error:
        return [Error(f"PORTAL_POLICY_FILE: {error}", id="policy.E001")]
    return []
