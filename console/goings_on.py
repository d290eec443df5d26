"""Say what goes on now with each artefact: an evaluation, a start, answers that are still being finished."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.runtime import runtime
from console.viewers import Viewer
from registry.evaluator import Progress, progress
from registry.models import ModelArtifact, Status


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
    """Tell how far a change of models is: a start, a load beside the one in use, answers still being finished."""
    fleet = runtime().serving.fleet
    if fleet is None:
        return None
    pool = fleet.pools.get(row.sha256)
    if pool is not None:
        return _start() if pool.state in {"starting", "restarting"} else None
    leaving = next((one for one in fleet.leaving_pools if one.config.model.digest == row.sha256), None)
    if leaving is None:
        return None
    return _load() if leaving.state == "starting" else _end(row, running=leaving.running + leaving.queued)


def _start() -> Live:
    return Live(_("The engine is starting"), _("New turns wait until it is ready."))


def _load() -> Live:
    text = _("It is being loaded. Until it is ready, turns go to the model that was in use before.")
    return Live(_("Coming into use"), text)


def _end(row: ModelArtifact, *, running: int) -> Live:
    newest = (
        ModelArtifact.objects.filter(status=Status.ACTIVE)
        .exclude(pk=row.pk)
        .order_by("-activated_at")
        .first()
    )
    rest = ngettext(
        "%(n)d answer is still being finished on %(label)s.",
        "%(n)d answers are still being finished on %(label)s.",
        running,
    ) % {"n": running, "label": row.label}
    head = _("New turns already go to %(label)s.") % {"label": newest.label} if newest else ""
    return Live(_("Going out of use"), f"{head} {rest}".strip())
