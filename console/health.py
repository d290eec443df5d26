"""Look at the installation as an operator does."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.guards import missing_guards
from chat.runtime import Runtime
from crypto.errors import KeyUnavailable
from crypto.services import check_keys
from policy.guards import missing_guards as missing_rule_guards
from registry.errors import ModelError
from registry.guards import missing_guards as missing_model_guards
from registry.models import ModelArtifact
from registry.services import model_alerts, verify_artifact
from registry.wording import in_words


@dataclass(frozen=True, slots=True)
class Check:
    """One row: what was looked at, whether it is well, and what was found."""

    label: str | Promise
    ok: bool
    detail: str | Promise


def installation_checks(process: Runtime) -> list[Check]:
    """Return what holds now; each check looks afresh."""
    return [
        _keys(),
        _guards(),
        _rules(),
        _approvals(),
        _models_in_use(),
        *_model_files(process),
        *_engines(process),
    ]


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


def _rules() -> Check:
    missing = missing_rule_guards(connection)
    detail = ", ".join(missing) or _("the database refuses to change published rules")
    return Check(_("Published rules are fixed"), ok=not missing, detail=detail)


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


def _model_files(process: Runtime) -> list[Check]:
    known = process.serving.artifacts
    rows = [known[digest] for pool in process.serving.pools if (digest := pool.config.model.digest) in known]
    if not rows:
        return [Check(_("Model file"), ok=False, detail=_("no model is active"))]
    return [_model_file(row, is_one_of_many=len(rows) > 1) for row in rows]


def _model_file(artifact: ModelArtifact, *, is_one_of_many: bool) -> Check:
    label = _of(gettext("Model file"), artifact.label if is_one_of_many else "")
    try:
        verify_artifact(artifact)
    except ModelError as error:
        return Check(label, ok=False, detail=error.detail)
    return Check(label, ok=True, detail=_("the SHA-256 is the one of the import"))


def _engines(process: Runtime) -> list[Check]:
    """Return a row for each pool, and one for each model that organisations should be answered by and are not."""
    serving, label = process.serving, gettext("Engine")
    rows = [
        Check(
            _of(label, pool.config.model.name if len(serving.pools) > 1 else ""),
            ok=pool.state == "ready",
            detail=in_words(pool.last_error) or _("no failure since the start"),
        )
        for pool in serving.pools
    ]
    names = {digest: artifact.label for digest, artifact in serving.artifacts.items()}
    rows += [
        Check(_of(label, names.get(digest, digest[:12])), ok=False, detail=in_words(error))
        for digest, error in serving.errors.items()
    ]
    return rows or [
        Check(label, ok=False, detail=in_words(process.reason) or _("no failure since the start"))
    ]


def _of(label: str, which: str) -> str:
    return f"{label} · {which}" if which else label
