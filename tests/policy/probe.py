"""Run against a database of its own, in a process of its own: `python -m tests.policy.probe`.

Leads rule sets through their life, then tries every forbidden statement. Prints what it saw as JSON; the tests judge.
"""

from __future__ import annotations

import json
from typing import Any

import django
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

RULE: dict[str, Any] = {"code": "HR-1", "title": {"en": "Pay"}, "keywords": ["salary"], "input": "block"}


def main() -> None:
    django.setup()
    from console.opening import open_tenant
    from crypto.services import create_local_keys
    from policy.guards import missing_guards
    from policy.versions import current_version, rules_in
    from tenants.scope import tenant_scope

    call_command("migrate", verbosity=0)
    create_local_keys()
    tenant = open_tenant(code="north", name="North Bank")
    with tenant_scope(tenant.id):
        live(tenant)
        words = [rule.words for rule in rules_in(current_version()).rules][-1]
    report = {
        "vendor": connection.vendor,
        "words": words,
        "missing": missing_guards(connection),
        "allowed": [name for name, statement in forbidden().items() if is_allowed(statement)],
        "draft_changes": is_allowed("UPDATE policy_tenantrule SET code = 'HR-2' WHERE version_id IN (SELECT id"
                                    " FROM policy_rulesetversion WHERE status = 'draft')"),
    }  # fmt: skip
    print(json.dumps(report))  # noqa: T201 - the probe's answer


def live(tenant: Any) -> None:
    """Publish one version, and leave another as a draft and then submitted."""
    from accounts.services import create_account
    from policy import rulesets

    one, two = (
        create_account(
            tenant=tenant, login=login, display_name=login, role="officer", password="a b c d e f g 9"
        )
        for login in ("jun", "hua")
    )
    draft = rulesets.draft_of(one)
    rulesets.save_rule(draft, RULE, by=one)
    rulesets.note_dry_run(draft, {}, by=one)
    rulesets.submit(draft, by=one)
    rulesets.approve(draft, by=two)
    rulesets.publish(draft, by=one)
    following = rulesets.draft_of(one)
    rulesets.save_rule(following, RULE | {"keywords": ["bonus"]}, by=one)


def forbidden() -> dict[str, str]:
    """Return what the database must refuse."""
    versions, rules, decisions = "policy_rulesetversion", "policy_tenantrule", "policy_rulesetdecision"
    published = f"(SELECT id FROM {versions} WHERE status = 'published')"
    return {
        "rewrite a published rule": f"UPDATE {rules} SET body = 'x' WHERE version_id IN {published}",
        "drop a published rule": f"DELETE FROM {rules} WHERE version_id IN {published}",
        "move a rule": f"UPDATE {rules} SET version_id = {published} WHERE version_id NOT IN {published}",
        "rename a published version": f"UPDATE {versions} SET number = 7 WHERE status = 'published'",
        "take it back": f"UPDATE {versions} SET status = 'draft' WHERE status = 'published'",
        "delete a version": f"DELETE FROM {versions}",
        "publish a draft": f"UPDATE {versions} SET status = 'published' WHERE status = 'draft'",
        "approve a draft": f"UPDATE {versions} SET status = 'approved' WHERE status = 'draft'",
        "change a decision": f"UPDATE {decisions} SET decision = 'reject'",
        "delete a decision": f"DELETE FROM {decisions}",
        "decide on a draft": f"INSERT INTO {decisions} (tenant_id, version_id, account_id, decision, reason, at)"
        f" SELECT tenant_id, id, id, 'alone', 'x', created_at FROM {versions} WHERE status = 'draft'",
    }


def is_allowed(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            return bool(cursor.rowcount)
    except DatabaseError:
        return False


if __name__ == "__main__":
    main()
