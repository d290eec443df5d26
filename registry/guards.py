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

from common.triggers import Guard, Guards

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
    "registry_artifact_signature_state": (
        "UPDATE", ARTIFACTS,
        "NEW.signature_state <> OLD.signature_state AND NOT (OLD.signature = '' AND NEW.signature <> '')"
        " AND (OLD.signature_state = 'none' OR NEW.signature_state = 'none')",
        "a signature is not made up and not taken away",
    ),
    "registry_artifact_submitter": (
        "UPDATE", ARTIFACTS,
        "(NEW.submitted_by {differs} OLD.submitted_by OR NEW.submitted_at {differs} OLD.submitted_at)"
        " AND (NEW.status <> 'submitted' OR OLD.status = 'submitted')",
        "who submitted an artefact stays",
    ),
    "registry_artifact_missed": (
        "UPDATE", ARTIFACTS,
        "NEW.thresholds_missed <> OLD.thresholds_missed AND OLD.status NOT IN ('imported', 'evaluated', 'rejected')"
        f" AND NOT (OLD.status IN ('approved', 'active') AND EXISTS ({_WAIVED}))",
        "what was missed at the submission stays",
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

_ALL = Guards({name: Guard(*row) for name, row in _RULES.items()})
create_guards, drop_guards, missing_guards = _ALL.create, _ALL.drop, _ALL.missing
