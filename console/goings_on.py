"""Say what goes on now with each artefact: an evaluation, a start, answers that are still being finished."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from chat.runtime import runtime
from console.viewers import Viewer
from registry.evaluator import Progress, progress
from registry.models import ModelArtifact


@dataclass(frozen=True, slots=True)
class Live:
    """Something under way; `percent` where it can be told."""

    title: str
    text: str = ""
    percent: int | None = None
    may_stop: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """What goes on with one artefact, for the part of the page that shows it."""

    id: UUID
    live: Live | None


def live_of(row: ModelArtifact) -> Live | None:
    """Return what goes on with an artefact now; None is rest."""
    last = progress(row.pk)
    if last is not None and last.is_running:
        return _evaluation(last)
    return _service(row)


def live_regions(viewer: Viewer) -> list[Region]:
    """Return the same for every artefact that exists for the viewer."""
    return [Region(row.pk, live_of(row)) for row in viewer.artifacts()]


def _evaluation(last: Progress) -> Live:
    """Tell how far an evaluation is; while it loads and measures, no question is judged yet."""
    phases = {
        "": _("begins"),
        "load": _("loading the model in the sandbox"),
        "speed": _("measuring speed"),
        "refusal": _("harmful requests"),
        "answer": _("ordinary requests"),
        "injection": _("injections"),
        "language": _("Chinese and English"),
    }
    counts = {"done": last.done, "total": last.total, "phase": phases.get(last.phase, last.phase)}
    text = _("%(phase)s · %(done)d of %(total)d questions judged") % counts
    return Live(_("Evaluation under way"), text, percent=last.percent, may_stop=True)


def _service(row: ModelArtifact) -> Live | None:
    process = runtime()
    if process.artifact is None or process.artifact.pk != row.pk:
        return None
    if process.state in {"starting", "restarting"}:
        return Live(_("The engine is starting"), _("New turns wait until it is ready."))
    return None
