"""Look at an organisation's rule sets: what is in force, what there was, and what changed. In its scope."""

from __future__ import annotations

from policy.base import base_rules
from policy.layers import LayerRule, RuleChange, compose, diff_layers
from policy.models import RuleSetVersion, Status
from policy.ruleset import RuleSet


def current_version() -> RuleSetVersion | None:
    """Return the version that is in force; None where the organisation has published nothing."""
    return RuleSetVersion.objects.filter(status=Status.PUBLISHED).order_by("-number").first()


def versions() -> list[RuleSetVersion]:
    """Return what was published, the newest first, after what is on its way."""
    rows = RuleSetVersion.objects.exclude(status=Status.DISCARDED)
    return sorted(rows, key=lambda row: (row.number is None, row.number or 0, row.created_at), reverse=True)


def layer_of(version: RuleSetVersion | None) -> list[LayerRule]:
    """Return a version's entries in order; none for None. Raises SealBroken, KeyDestroyed, KeyUnavailable."""
    return [row.read() for row in version.rules.order_by("position")] if version is not None else []


def diff(before: RuleSetVersion | None, after: RuleSetVersion | None) -> tuple[RuleChange, ...]:
    """Return how two versions differ; None stands for the base alone."""
    return diff_layers(layer_of(before), layer_of(after), base=base_rules())


def name_of(version: RuleSetVersion | None) -> str:
    """Return what events carry: the digest of the base, and behind a point the version of the layer."""
    base = base_rules().version
    return base if version is None else f"{base}.{version.number or 'draft'}"


def rules_in(version: RuleSetVersion | None) -> RuleSet:
    """Return a version as it acts, over the base. Takes seconds for lists of 100,000 words. Raises RuleFileError."""
    if version is None:
        return base_rules()
    return compose(base_rules(), layer_of(version), version=name_of(version))
