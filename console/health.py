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
from registry.services import verify_artifact


@dataclass(frozen=True, slots=True)
class Check:
    """One row: what was looked at, whether it is well, and what was found."""

    label: str | Promise
    ok: bool
    detail: str | Promise


def installation_checks(process: Runtime) -> list[Check]:
    """Return what holds now; each check looks afresh."""
    return [_keys(), _guards(), _model_file(process), _engine(process)]


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
