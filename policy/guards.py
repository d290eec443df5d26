"""Let the database itself keep published rule sets as they are, with triggers on SQLite and PostgreSQL.

A version moves only along TRANSITIONS, to "approved" and "published" only where a decision of somebody other than its
submitter stands for it (or a written reason, where there is nobody else; or where it brings back an earlier version),
and never changes once it is published or discarded. Its rules change while it is a draft only. Decisions and versions
are never deleted. Who may drop triggers can get around them; `missing_guards` is for telling.

A later migration that alters one of the tables must create the guards again: SQLite rebuilds a table without its
triggers.
"""

from __future__ import annotations

from common.triggers import Guard, Guards

VERSIONS, RULES, DECISIONS = "policy_rulesetversion", "policy_tenantrule", "policy_rulesetdecision"
# policy.models.TRANSITIONS as it was when these triggers were made, in the words of SQL.
STEPS = (
    "draft>submitted", "draft>discarded", "submitted>approved", "submitted>draft", "approved>published",
    "approved>draft",
)  # fmt: skip
_STEPS = ", ".join(f"'{step}'" for step in STEPS)
# Table names are constants of this file, so ruff's S608 (SQL from input) does not apply.
_STANDS = (
    f"SELECT 1 FROM {DECISIONS} WHERE version_id = NEW.id AND tenant_id = NEW.tenant_id"  # noqa: S608
    " AND at >= NEW.submitted_at AND ("
    "(decision = 'approve' AND account_id <> NEW.submitted_by)"
    " OR (decision = 'alone' AND reason <> '')"
    " OR (decision = 'restore' AND NEW.restores_id IS NOT NULL))"
)
_OWN = (
    f"SELECT 1 FROM {VERSIONS} WHERE id = NEW.version_id"  # noqa: S608
    " AND (status <> 'submitted' OR (submitted_by = NEW.account_id AND NEW.decision IN ('approve', 'reject')))"
)
_CLOSED = f"NOT EXISTS (SELECT 1 FROM {VERSIONS} WHERE id = {{row}}.version_id AND status = 'draft')"  # noqa: S608

_GUARDS: dict[str, tuple[str, str, str, str]] = {
    # name: when, table, condition, text
    "policy_version_begins": ("INSERT", VERSIONS, "NEW.status <> 'draft'", "a rule set begins as a draft"),
    "policy_version_fixed": (
        "UPDATE", VERSIONS, "OLD.status IN ('published', 'discarded')", "a published rule set never changes",
    ),
    "policy_version_stays": ("DELETE", VERSIONS, "1 = 1", "a rule set is never deleted"),
    "policy_version_moves": (
        "UPDATE", VERSIONS, "NEW.id {differs} OLD.id OR NEW.tenant_id {differs} OLD.tenant_id",
        "a rule set stays where it is",
    ),
    "policy_version_steps": (
        "UPDATE", VERSIONS,
        f"NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ({_STEPS})",
        "a rule set does not take this step",
    ),
    "policy_version_approved": (
        "UPDATE", VERSIONS,
        f"NEW.status IN ('approved', 'published') AND NEW.status <> OLD.status AND NOT EXISTS ({_STANDS})",
        "a second person has not approved",
    ),
    "policy_decision_second": ("INSERT", DECISIONS, f"EXISTS ({_OWN})", "the submitter cannot decide"),
    "policy_decision_fixed": ("UPDATE", DECISIONS, "1 = 1", "a decision never changes"),
    "policy_decision_stays": ("DELETE", DECISIONS, "1 = 1", "a decision is never deleted"),
    **{
        f"policy_rule_{word}": (when, RULES, condition, "the rules of a rule set change while it is a draft")
        for word, when, condition in (
            ("comes_late", "INSERT", _CLOSED.replace("{row}", "NEW")),
            ("fixed", "UPDATE", f"{_CLOSED.replace('{row}', 'OLD')} OR NEW.version_id <> OLD.version_id"),
            ("stays", "DELETE", _CLOSED.replace("{row}", "OLD")),
        )
    },
}  # fmt: skip

_ALL = Guards({name: Guard(*row) for name, row in _GUARDS.items()})
create_guards, drop_guards, missing_guards = _ALL.create, _ALL.drop, _ALL.missing
