"""Let the database itself keep what must not change, with triggers on SQLite and PostgreSQL.

An artefact's file and provenance never change and its row is never deleted; a signature comes once, before it is
submitted; its status moves only along TRANSITIONS,
and to "approved" only where a decision of somebody other than the submitter stands for it. Approvals and events are
never changed or deleted. A complete evaluation keeps its figures and verdicts as they are. Who may drop triggers can
get around them; `missing_guards` is for telling.

A later migration that alters one of the tables must create the guards again: SQLite rebuilds a table without its
triggers.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

ARTIFACTS, APPROVALS, EVENTS = "registry_modelartifact", "registry_modelapproval", "registry_modelevent"
EVALUATIONS, RESULTS, VERDICTS = (
    "registry_modelevaluation", "registry_evaluationresult", "registry_itemverdict",
)  # fmt: skip
FIXED = (
    "id", "revision", "sha256", "size_bytes", "file_name", "name", "format", "architecture", "parameter_count",
    "quantisation", "context_tokens", "licence", "chat_template", "template_warnings", "tokenizer_digest", "source",
    "catalogue_key", "is_starter", "imported_by", "imported_at", "portal_version",
)  # fmt: skip
# registry.models.TRANSITIONS as it was when these triggers were made, in the words of SQL.
STEPS = (
    "imported>evaluated", "imported>approved", "imported>retired", "evaluated>submitted", "evaluated>approved",
    "evaluated>retired", "submitted>approved", "submitted>rejected", "submitted>retired", "approved>active",
    "approved>submitted", "approved>retired", "active>approved", "active>submitted", "active>retired",
    "rejected>evaluated", "rejected>retired",
)  # fmt: skip
_STEPS = ", ".join(f"'{step}'" for step in STEPS)
# Table names are constants of this file, so ruff's S608 (SQL from input) does not apply.
_STANDS = (
    f"SELECT 1 FROM {APPROVALS} WHERE artifact_id = NEW.id AND decision IN ('approve', 'waive')"  # noqa: S608
    " AND (NEW.submitted_by IS NULL OR account_id IS NULL OR account_id <> NEW.submitted_by)"
)
_WAIVED = f"SELECT 1 FROM {APPROVALS} WHERE artifact_id = NEW.id AND decision = 'waive'"  # noqa: S608
_OWN = f"SELECT 1 FROM {ARTIFACTS} WHERE id = NEW.artifact_id AND submitted_by = NEW.account_id"  # noqa: S608
_DONE = f"EXISTS (SELECT 1 FROM {EVALUATIONS} WHERE id = {{row}}.evaluation_id AND state = 'complete')"  # noqa: S608

_RULES: dict[str, tuple[str, str, str, str]] = {
    # name: when, table, condition, text
    "registry_artifact_begins": (
        "INSERT", ARTIFACTS, "NEW.status <> 'imported'", "an artefact begins as imported",
    ),
    "registry_artifact_fixed": (
        "UPDATE", ARTIFACTS, " OR ".join(f"NEW.{name} {{differs}} OLD.{name}" for name in FIXED),
        "an artefact never changes",
    ),
    "registry_artifact_signed": (
        "UPDATE", ARTIFACTS,
        "(NEW.signature <> OLD.signature OR NEW.signature_key <> OLD.signature_key)"
        " AND (OLD.signature <> '' OR OLD.status NOT IN ('imported', 'evaluated', 'rejected'))",
        "an artefact takes no other signature",
    ),
    "registry_artifact_steps": (
        "UPDATE", ARTIFACTS,
        f"NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ({_STEPS})",
        "an artefact does not take this step",
    ),
    "registry_artifact_approved": (
        "UPDATE", ARTIFACTS,
        f"NEW.status IN ('approved', 'active') AND NEW.status <> OLD.status AND NOT EXISTS ({_STANDS})",
        "a second person has not approved",
    ),
    "registry_artifact_submitted": (
        "UPDATE", ARTIFACTS,
        "NEW.status = 'submitted' AND OLD.status IN ('approved', 'active')"
        f" AND NOT EXISTS ({_WAIVED})",
        "what was approved is not submitted again",
    ),
    "registry_approval_second": ("INSERT", APPROVALS, f"EXISTS ({_OWN})", "the submitter cannot decide"),
    "registry_artifact_stays": ("DELETE", ARTIFACTS, "1 = 1", "an artefact is never deleted"),
    "registry_approval_fixed": ("UPDATE", APPROVALS, "1 = 1", "a decision never changes"),
    "registry_approval_stays": ("DELETE", APPROVALS, "1 = 1", "a decision is never deleted"),
    "registry_event_fixed": ("UPDATE", EVENTS, "1 = 1", "an event never changes"),
    "registry_event_stays": ("DELETE", EVENTS, "1 = 1", "an event is never deleted"),
    "registry_evaluation_fixed": (
        "UPDATE", EVALUATIONS, "OLD.state = 'complete'", "a complete evaluation never changes",
    ),
    "registry_evaluation_stays": (
        "DELETE", EVALUATIONS, "OLD.state = 'complete'", "a complete evaluation is never deleted",
    ),
    **{
        f"registry_{noun}_{word}": (
            when, table, _DONE.replace("{row}", row), "a complete evaluation keeps its figures",
        )
        for noun, table in (("result", RESULTS), ("verdict", VERDICTS))
        for word, when, row in (
            ("comes_late", "INSERT", "NEW"), ("fixed", "UPDATE", "OLD"), ("stays", "DELETE", "OLD"),
        )
    },
}  # fmt: skip


def create_guards(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers of every table that there is; those that exist are made anew.

    A migration may run before a later one has made its tables.
    """
    drop_guards(connection)
    make = _on_postgres if connection.vendor == "postgresql" else _on_sqlite
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for name, (_when, table, _condition, _text) in _RULES.items():
            if table in tables:
                cursor.execute(make(name))


def drop_guards(connection: BaseDatabaseWrapper) -> None:
    """Drop every trigger, to migrate back. Nothing that serves calls this."""
    with connection.cursor() as cursor:
        for name, (_when, table, _condition, _text) in _RULES.items():
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def missing_guards(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of triggers that are gone or switched off."""
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    with connection.cursor() as cursor:
        cursor.execute(query)
        present = {row[0] for row in cursor.fetchall()}
    return [name for name in _RULES if name not in present]


def _on_sqlite(name: str) -> str:
    when, table, condition, text = _RULES[name]
    return (
        f"CREATE TRIGGER {name} BEFORE {when} ON {table} WHEN {condition.format(differs='IS NOT')}"
        f" BEGIN SELECT RAISE(ABORT, '{text}'); END"
    )


def _on_postgres(name: str) -> str:
    """Return function and trigger; the condition stands in the function, where it may hold a subquery."""
    when, table, condition, text = _RULES[name]
    back = "OLD" if when == "DELETE" else "NEW"
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {condition.format(differs='IS DISTINCT FROM')} THEN"
        f" RAISE EXCEPTION '{text}' USING ERRCODE = '42501'; END IF; RETURN {back}; END $$;"
        f" CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
