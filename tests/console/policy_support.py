"""Bring rule sets as far as a test needs them, by their own steps."""

from __future__ import annotations

import uuid
from typing import Any

from accounts.models import User
from accounts.services import create_account
from policy import rulesets
from policy.models import RuleSetVersion
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.conftest import PASSWORD

PAY: dict[str, Any] = {
    "code": "NORTH-01",
    "title": {"en": "Pay", "zh-hans": "薪酬"},
    "keywords": ["salary table", "薪酬明细"],
    "input": "block",
}
CASES: dict[str, Any] = {
    "code": "NORTH-02",
    "title": {"en": "Case number"},
    "pattern": "zy[0-9]{8}",
    "input": "redact",
    "mask": "[case]",
}


def officer(login: str, tenant: Tenant | None) -> User:
    """Create another security officer."""
    return create_account(
        tenant=tenant, login=login, display_name=login.title(), role="officer", password=PASSWORD
    )


def draft(by: User, *rows: dict[str, Any], pk: uuid.UUID | None = None) -> RuleSetVersion:
    """Return the organisation's draft, with these entries in it; `pk` chooses the id of a new one."""
    assert by.tenant_id is not None
    with tenant_scope(by.tenant_id):
        if pk is not None:
            RuleSetVersion(id=pk, tenant_id=by.tenant_id).save(force_insert=True)
        version = rulesets.draft_of(by)
        for row in rows or (PAY,):
            rulesets.save_rule(version, row, by=by)
    return version


def submit(by: User, *rows: dict[str, Any]) -> RuleSetVersion:
    """Return a version that waits for a second person; that it was tried is only noted."""
    version = draft(by, *rows)
    assert by.tenant_id is not None
    with tenant_scope(by.tenant_id):
        rulesets.note_dry_run(version, {}, by=by)
        rulesets.submit(version, by=by, note="new words of the season")
    return version


def publish(by: User, second: User, *rows: dict[str, Any]) -> RuleSetVersion:
    """Return a version that is in force."""
    version = submit(by, *rows)
    assert by.tenant_id is not None
    with tenant_scope(by.tenant_id):
        rulesets.approve(version, by=second)
        rulesets.publish(version, by=by)
    return version
