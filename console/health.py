"""Look at the installation as an operator does."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.guards import missing_guards
from chat.runtime import Runtime
from crypto.errors import KeyUnavailable
from crypto.services import check_keys
from registry.errors import ModelError
from registry.guards import missing_guards as missing_model_guards
from registry.services import model_alerts, verify_artifact


@dataclass(frozen=True, slots=True)
class Check:
    """One row: what was looked at, whether it is well, and what was found."""

    label: str | Promise
    ok: bool
    detail: str | Promise


def installation_checks(process: Runtime) -> list[Check]:
    """Return what holds now; each check looks afresh."""
    return [_keys(), _guards(), _approvals(), _models_in_use(), _model_file(process), _engine(process)]


def _keys() -> Check:
    label = _("Key file")
    try:
        check_keys()
    except KeyUnavailable as error:
        return Check(label, ok=False, detail=str(error))
    return Check(label, ok=True, detail=_("data keys can be opened"))


def _guards() -> Check:
    missing = missing_guards(connection)
    detail = ", ".join(missing) or _("the database refuses to change or delete events")
    return Check(_("Audit log is append-only"), ok=not missing, detail=detail)


def _approvals() -> Check:
    missing = missing_model_guards(connection)
    detail = ", ".join(missing) or _("the database refuses to change what was decided about models")
    return Check(_("Model approvals are fixed"), ok=not missing, detail=detail)


def _models_in_use() -> Check:
    """A waiver is told and no fault: only the embedded default knows it, and production does not run such a model."""
    alerts = model_alerts()
    told = "; ".join(f"{alert.artifact.label}: {alert.text}" for alert in alerts)
    is_well = not any(alert.is_stopped for alert in alerts)
    return Check(
        _("Models in use"), ok=is_well, detail=told or _("approved by a second person, file unchanged")
    )


def _model_file(process: Runtime) -> Check:
    label = _("Model file")
    if process.artifact is None:
        return Check(label, ok=False, detail=_("no model is active"))
    try:
        verify_artifact(process.artifact)
    except ModelError as error:
        return Check(label, ok=False, detail=error.detail)
    return Check(label, ok=True, detail=_("the SHA-256 is the one of the import"))


def _engine(process: Runtime) -> Check:
    last_error = process.pool.last_error if process.pool else process.reason
    return Check(
        _("Engine"), ok=process.state == "ready", detail=last_error or _("no failure since the start")
    )
