"""Give the other houses what the registry does, in one place."""

from __future__ import annotations

from registry.alerts import ModelAlert, model_alerts
from registry.announcing import MODELS_CHANGED, announce_change, stamp_file
from registry.choosing import (
    active_artifact,
    active_artifacts,
    choose_for_tenant,
    chosen_artifact_id,
    is_approved_for,
    model_of,
    models_for,
)
from registry.history import TimelineRow, timeline
from registry.importing import Vouching, import_file, import_known, import_starter
from registry.lifecycle import (
    Activation,
    activate,
    approve,
    is_only_waived,
    latest_decision,
    mark_evaluated,
    reject,
    retire,
    rollback,
    rollback_target,
    submit,
    waive,
)
from registry.verifying import hash_file, verify_artifact

__all__ = [
    "MODELS_CHANGED",
    "Activation",
    "ModelAlert",
    "TimelineRow",
    "Vouching",
    "activate",
    "active_artifact",
    "active_artifacts",
    "announce_change",
    "approve",
    "choose_for_tenant",
    "chosen_artifact_id",
    "hash_file",
    "import_file",
    "import_known",
    "import_starter",
    "is_approved_for",
    "is_only_waived",
    "latest_decision",
    "mark_evaluated",
    "model_alerts",
    "model_of",
    "models_for",
    "reject",
    "retire",
    "rollback",
    "rollback_target",
    "stamp_file",
    "submit",
    "timeline",
    "verify_artifact",
    "waive",
]
