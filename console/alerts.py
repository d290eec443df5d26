"""Warn of what is not as it should be with the models."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from chat.runtime import runtime
from console.viewers import Viewer
from registry.lifecycle import latest_decision
from registry.models import Decision, FileState, ModelArtifact, SignatureState, Status
from registry.wording import in_words


@dataclass(frozen=True, slots=True)
class Alert:
    """One warning; `artifact_id` leads to the artefact."""

    tone: str
    title: str
    text: str
    artifact_id: UUID | None = None


def alerts_of_all(
    active: list[ModelArtifact], viewer: Viewer, *, standing_in: list[ModelArtifact]
) -> list[Alert]:
    """Return what is wrong with the engine and with the artefacts that answer or should, the worst first."""
    shown = [*active, *standing_in]
    linked = [Alert(a.tone, a.title, a.text, row.pk) for row in shown for a in alerts_about(row)]
    found = _engine(viewer) + linked
    return sorted(found, key=lambda alert: ("danger", "warn", "info").index(alert.tone))


def alerts_about(row: ModelArtifact) -> list[Alert]:
    """Return what is wrong with one artefact."""
    return [*_file(row), *_key(row), *_load(row), *_standing_in(row), *_waiver(row), *_starter(row)]


def _engine(viewer: Viewer) -> list[Alert]:
    process = runtime()
    others_are_served = viewer.tenant_id is None and process.readiness != "unavailable"
    if process.state_for(viewer.tenant_id) != "failed" or others_are_served:
        return []
    reason = in_words(process.reason) if viewer.may_manage else ""
    text = reason or _("Nobody can chat now. The operators see the cause on their page of the installation.")
    return [Alert("danger", _("The engine does not run"), text)]


def _file(row: ModelArtifact) -> list[Alert]:
    label = {"label": row.label}
    if row.file_state == FileState.OK:
        return []
    if row.file_state == FileState.MISSING:
        title = _("The file of %(label)s is missing") % label
    else:
        title = _("The file of %(label)s has changed since it was imported") % label
    text = _(
        "It is not used and cannot be activated. Import the file again from its source, and look for who changed it."
    )
    return [Alert("danger", title, text)]


def _key(row: ModelArtifact) -> list[Alert]:
    if row.signature_state != SignatureState.REVOKED:
        return []
    title = _("The key that signed %(label)s has been revoked") % {"label": row.label}
    return [Alert("danger", title, _("It is not used and cannot be approved or activated."))]


def _load(row: ModelArtifact) -> list[Alert]:
    """Tell that the engine could not load it; what the reader of files found is safe to show."""
    error = runtime().serving.errors.get(row.sha256)
    if error is None or not row.is_sound:
        return []
    title = _("%(label)s could not be loaded") % {"label": row.label}
    text = _(
        "The engine says: %(error)s. Turns go to the model that was in use before, if there was one. It is tried again"
        " by itself, and at once when its file is written anew."
    )
    return [Alert("danger", title, text % {"error": in_words(error)})]


def _standing_in(row: ModelArtifact) -> list[Alert]:
    if row.sha256 not in runtime().serving.standing_in:
        return []
    title = _("%(label)s stands in for a model that cannot run") % {"label": row.label}
    return [
        Alert("warn", title, _("It is approved and was in use before. Roll back to it, or repair the other."))
    ]


def _waiver(row: ModelArtifact) -> list[Alert]:
    if row.status not in {Status.APPROVED, Status.ACTIVE}:
        return []
    if latest_decision(row, tenant_id=None) != Decision.WAIVE:
        return []
    title = _("%(label)s runs without the approval of a second person") % {"label": row.label}
    text = _(
        "The embedded default waived it so that the portal can be tried. In production a waiver does not count."
    )
    return [Alert("warn", title, text)]


def _starter(row: ModelArtifact) -> list[Alert]:
    if not row.is_starter or row.status != Status.ACTIVE:
        return []
    return [Alert("info", _("Small English starter model, not Qwen"), _("It is here to try the portal."))]
