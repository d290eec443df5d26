"""Say what an operator has to know about models in use: what was stopped and why, and what nobody approved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry.lifecycle import is_only_waived
from registry.models import FileState, ModelArtifact, SignatureState, Status

AlertCode = Literal["mismatch", "missing", "revoked", "waived"]
TEXTS: dict[AlertCode, Promise] = {
    "mismatch": _("The file was changed after its import; the model is stopped"),
    "missing": _("The file is missing; the model is stopped"),
    "revoked": _("The key that signed the file no longer counts; the model is stopped"),
    "waived": _("Nobody approved this model; the embedded default waived it"),
}


@dataclass(frozen=True, slots=True)
class ModelAlert:
    """One thing to know about a model in use; `is_stopped` tells whether it still answers."""

    artifact: ModelArtifact
    code: AlertCode
    text: str | Promise
    is_stopped: bool


def model_alerts() -> list[ModelAlert]:
    """Return what there is to know about models in use, the gravest first; nothing is read from files."""
    rows = list(ModelArtifact.objects.filter(status=Status.ACTIVE).order_by("-activated_at"))
    found = [_alert(row) for row in rows]
    return sorted((alert for alert in found if alert is not None), key=lambda alert: not alert.is_stopped)


def _alert(row: ModelArtifact) -> ModelAlert | None:
    code: AlertCode
    if row.file_state == FileState.MISMATCH:
        code = "mismatch"
    elif row.file_state == FileState.MISSING:
        code = "missing"
    elif row.signature_state == SignatureState.REVOKED:
        code = "revoked"
    elif is_only_waived(row):
        code = "waived"
    else:
        return None
    return ModelAlert(row, code, TEXTS[code], is_stopped=code != "waived")
