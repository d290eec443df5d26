"""Write drafts: add, change and remove an organisation's rules, and what it changes about the base's.

All in the scope of the organisation; each a transaction with its audit event, which names the rule and none of its
words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accounts.models import User
from accounts.roles import POLICY_EDIT
from common import clock
from common.errors import NotFound
from policy.base import base_rules
from policy.errors import PolicyActRefused, RuleChanged, RuleRefused, WrongStage
from policy.history import act, locked, require
from policy.layers import MAX_TENANT_RULES, LayerRule, check_entry, compose
from policy.models import OPEN, RuleSetVersion, Status, TenantRule
from policy.ruleset import RuleFileError
from policy.versions import current_version, layer_of
from tenants.scope import current_tenant_id

# A list of 100,000 words has about two million characters.
MAX_RULE_CHARS = 16_000_000
MAX_LAYER_WORDS = 300_000


def open_draft() -> RuleSetVersion | None:
    """Return the organisation's draft in whichever stage before publication, or None."""
    return RuleSetVersion.objects.filter(status__in=OPEN, restores=None).first()


def open_rollback() -> RuleSetVersion | None:
    """Return the earlier version that waits to be in force again, or None."""
    return RuleSetVersion.objects.filter(status__in=OPEN).exclude(restores=None).first()


def draft_of(by: User) -> RuleSetVersion:
    """Return the organisation's draft; begin one, equal to what is in force, where there is none.

    Raises PermissionMissing.
    """
    require(by, POLICY_EDIT)
    found = open_draft()
    if found is not None:
        return found
    with act("policy.draft", by=by, permission=POLICY_EDIT):
        current = current_version()
        draft = RuleSetVersion(tenant_id=current_tenant_id(), based_on=current)
        draft.save(force_insert=True)
        write_layer(draft, layer_of(current))
    return draft


def save_rule(draft: RuleSetVersion, row: dict[str, Any], *, by: User, seen: str | None = None) -> LayerRule:
    """Add an entry to a draft, or put it in the place of the one with its code; `row` as in a rule file.

    Without `keywords` and `pattern` the entry changes a rule of the base (see policy.layers). `seen` is the stamp of
    the entry that was looked at, "" where there was none: what somebody else wrote meanwhile is not overwritten.
    Raises RuleRefused, RuleChanged, WrongStage, NotFound, PermissionMissing.
    """
    entry = LayerRule(str(row.get("code", "?")), row)
    _check(entry)
    with act("policy.draft", by=by, permission=POLICY_EDIT, object_type="rule", object_id=entry.code):
        version = _writable(draft)
        layer = {known.code: known for known in layer_of(version)}
        if seen is not None and seen != (layer[entry.code].stamp if entry.code in layer else ""):
            raise RuleChanged
        layer[entry.code] = entry
        _check_whole(list(layer.values()))
        _put(version, entry)
        _note_change(version, by=by)
    draft.refresh_from_db()
    return entry


def check_rules(rows: Sequence[dict[str, Any]], *, by: User) -> None:
    """Look whether the draft takes all of these entries, before any is written.

    Raises RuleRefused, which names the rule, and PermissionMissing.
    """
    require(by, POLICY_EDIT)
    layer = {known.code: known for known in layer_of(open_draft() or current_version())}
    for row in rows:
        entry = LayerRule(str(row.get("code", "?")), row)
        _check(entry)
        layer[entry.code] = entry
    _check_whole(list(layer.values()))


def remove_rule(draft: RuleSetVersion, code: str, *, by: User) -> None:
    """Take an entry out of a draft; a base rule that it changed acts as in the base again.

    Raises NotFound, WrongStage, PermissionMissing.
    """
    found = draft.rules.filter(code=code).first()
    if found is None:
        raise NotFound
    with act("policy.draft", by=by, permission=POLICY_EDIT, object_type="rule", object_id=found.code):
        version = _writable(draft)
        version.rules.filter(pk=found.pk).delete()
        _note_change(version, by=by)
    draft.refresh_from_db()


def discard_draft(draft: RuleSetVersion, *, by: User) -> None:
    """Give a draft up; its rules are deleted. Raises WrongStage, PermissionMissing."""
    with act("policy.discard", by=by, permission=POLICY_EDIT):
        version = _writable(draft)
        version.rules.all().delete()
        version.status = Status.DISCARDED
        version.save(update_fields=["status"])
    draft.refresh_from_db()


def write_layer(version: RuleSetVersion, layer: Sequence[LayerRule]) -> None:
    """Write the entries of a version that has none yet."""
    TenantRule.objects.bulk_create(
        TenantRule(
            tenant_id=version.tenant_id,
            version=version,
            code=entry.code,
            position=place,
            body=TenantRule.pack(entry),
        )
        for place, entry in enumerate(layer)
    )


def _check(entry: LayerRule) -> None:
    """Raise RuleRefused for what cannot stand over the base, before anything is written."""
    try:
        check_entry(entry, base_rules())
    except RuleFileError as error:
        raise RuleRefused(str(error)) from None
    if sum(map(len, entry.row.get("keywords", ()))) > MAX_RULE_CHARS:
        raise RuleRefused(f"rule {entry.code}: the list is longer than {MAX_RULE_CHARS} characters")


def _check_whole(layer: list[LayerRule]) -> None:
    """Raise RuleRefused where the entries cannot stand together; lists of words need no look for that."""
    if len(layer) > MAX_TENANT_RULES:
        raise RuleRefused(f"a rule set has {MAX_TENANT_RULES} rules at most")
    if sum(len(entry.row.get("keywords", ())) for entry in layer) > MAX_LAYER_WORDS:
        raise RuleRefused(f"a rule set has {MAX_LAYER_WORDS} keywords at most")
    try:
        compose(base_rules(), [entry for entry in layer if "keywords" not in entry.row], version="draft")
    except RuleFileError as error:
        raise RuleRefused(str(error)) from None


def _put(version: RuleSetVersion, entry: LayerRule) -> None:
    row = version.rules.filter(code=entry.code).first()
    if row is None:
        last = version.rules.order_by("-position").values_list("position", flat=True).first()
        row = TenantRule(
            tenant_id=version.tenant_id,
            version=version,
            code=entry.code,
            position=0 if last is None else last + 1,
        )
    row.body = TenantRule.pack(entry)
    row.save()


def _writable(draft: RuleSetVersion) -> RuleSetVersion:
    version = locked(draft)
    if version.status != Status.DRAFT:
        raise WrongStage
    if version.restores_id is not None:
        raise PolicyActRefused  # What a rollback brings back is taken as it was.
    return version


def _note_change(version: RuleSetVersion, *, by: User) -> None:
    version.editors = sorted({*version.editors, str(by.id)})
    version.changed_at, version.figures, version.tried_at = clock.now(), None, None
    version.save(update_fields=["editors", "changed_at", "figures", "tried_at"])
