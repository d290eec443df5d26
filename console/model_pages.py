"""Put together what the model pages show to one viewer."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from uuid import UUID

from django.db.models import QuerySet
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from chat.runtime import runtime
from console.alerts import Alert, alerts_about, alerts_of_all
from console.approvals import Candidate, Decided, decisions_on, may_approve, show_candidate, waiting_for
from console.artifacts import Artifact, Fact, Mark, file_facts, show_artifact
from console.evaluations import Attempt, Evaluation, only_judged, read_attempt, read_evaluation
from console.goings_on import Live, live_of
from console.intake import Command, import_commands
from console.steps import Step, steps_of, steps_of_all
from console.viewers import Viewer
from console.watching import Watched, watched
from registry.choosing import chosen_artifact_id, models_for
from registry.lifecycle import DECIDABLE, is_only_waived, rollback_target
from registry.models import ModelArtifact, Status
from registry.verifying import look_where_touched


@dataclass(frozen=True, slots=True)
class ActiveCard:
    """An artefact in use; `rollback_label` names the one to go back to, on the card of the newest only."""

    artifact: Artifact
    badge: Mark
    live: Live | None
    rollback_label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What an administrator may choose for the organisation, and what is chosen."""

    options: list[Artifact]
    current_id: UUID | None


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """The page of all artefacts."""

    alerts: list[Alert]
    active: list[ActiveCard]
    candidates: list[Candidate]
    rows: list[Artifact]
    steps: list[Step]
    commands: list[Command]
    choice: Choice | None


@dataclass(frozen=True, slots=True)
class Acts:
    """What an operator may do with an artefact now."""

    evaluate: bool
    stop: bool
    submit: bool
    activate: bool
    beside: bool
    retire: bool
    rollback_label: str


@dataclass(frozen=True, slots=True)
class Template:
    """The chat template that the file brings, and what the scan said about it."""

    text: str
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class ArtifactPage:
    """The page of one artefact."""

    artifact: Artifact
    alerts: list[Alert]
    facts: list[Fact]
    live: Live | None
    evaluation: Evaluation | None
    attempt: Attempt | None
    others: list[Artifact]
    watched: list[Watched]
    template: Template
    decisions: list[Decided]
    candidate: Candidate | None
    acts: Acts | None
    needs_reason: bool
    steps: list[Step]
    typed: str
    error: str


def models_page(viewer: Viewer) -> ModelsPage:
    """Return the page of all artefacts that exist for the viewer."""
    rows = list(viewer.artifacts())
    if viewer.may_manage:
        for row in rows:
            look_where_touched(row)
    active = _in_use(rows)
    standing_in = [row for row in rows if row.sha256 in runtime().serving.standing_in]
    return ModelsPage(
        alerts=alerts_of_all(active, viewer, standing_in=standing_in),
        active=[_active_card(row, is_newest=row == active[0]) for row in active],
        candidates=[_candidate(row, viewer) for row in _candidates(rows, viewer)],
        rows=[show_artifact(row) for row in rows],
        steps=steps_of_all(viewer, rows),
        commands=import_commands(viewer.account) if viewer.may_manage else [],
        choice=_choice(viewer),
    )


def artifact_page(
    row: ModelArtifact, viewer: Viewer, *, against: ModelArtifact | None, typed: str = "", error: str = ""
) -> ArtifactPage:
    """Return the page of one artefact; `typed` and `error` give back the reason that was not good enough."""
    if viewer.may_manage:
        look_where_touched(row)
    other = against or _newest_in_use(viewer, but=row)
    evaluation = read_evaluation(row, other=other)
    is_open = row.status in DECIDABLE and (row.status == Status.SUBMITTED or may_approve(row, viewer))
    candidate = (
        show_candidate(row, viewer, evaluation=evaluation, typed=typed, error=error) if is_open else None
    )
    live = live_of(row)
    return ArtifactPage(
        artifact=show_artifact(row),
        alerts=alerts_about(row),
        facts=file_facts(row),
        live=live,
        evaluation=evaluation,
        attempt=read_attempt(row),
        others=[show_artifact(one) for one in viewer.artifacts().exclude(pk=row.pk)],
        watched=watched(row, viewer),
        template=Template(row.chat_template, list(row.template_warnings)),
        decisions=decisions_on(row, viewer),
        candidate=candidate,
        acts=_acts(row, live=live, is_evaluated=evaluation is not None) if viewer.may_manage else None,
        needs_reason=row.thresholds_missed > 0,
        steps=steps_of(row, viewer),
        typed=typed,
        error=error,
    )


def _in_use(rows: list[ModelArtifact]) -> list[ModelArtifact]:
    """Return what is in use, the newest first."""
    in_use = [(row.activated_at, row) for row in rows if row.status == Status.ACTIVE and row.activated_at]
    return [row for _at, row in sorted(in_use, key=itemgetter(0), reverse=True)]


def _newest_in_use(viewer: Viewer, *, but: ModelArtifact) -> ModelArtifact | None:
    in_use: QuerySet[ModelArtifact] = viewer.artifacts().filter(status=Status.ACTIVE).exclude(pk=but.pk)
    return in_use.order_by("-activated_at").first()


def _active_card(row: ModelArtifact, *, is_newest: bool) -> ActiveCard:
    since = timesince(row.activated_at, depth=1) if row.activated_at else ""
    sound = Mark("ok", _("In use · %(time)s") % {"time": since})
    target = rollback_target() if is_newest else None
    return ActiveCard(
        artifact=show_artifact(row),
        badge=sound if row.is_sound else Mark("danger", _("Stopped")),
        live=live_of(row),
        rollback_label=target.label if target else "",
    )


def _candidates(rows: list[ModelArtifact], viewer: Viewer) -> list[ModelArtifact]:
    """Return what waits for anybody, and before it what waits for the viewer."""
    own = waiting_for(viewer)
    return own + [row for row in rows if row.status == Status.SUBMITTED and row not in own]


def _candidate(row: ModelArtifact, viewer: Viewer) -> Candidate:
    evaluation = read_evaluation(row, other=_newest_in_use(viewer, but=row))
    return show_candidate(row, viewer, evaluation=only_judged(evaluation))


def _choice(viewer: Viewer) -> Choice | None:
    if not viewer.may_choose or viewer.tenant_id is None:
        return None
    options = [show_artifact(row) for row in models_for(viewer.tenant_id)]
    return Choice(options=options, current_id=chosen_artifact_id(viewer.tenant_id))


def _acts(row: ModelArtifact, *, live: Live | None, is_evaluated: bool) -> Acts:
    target = rollback_target() if row.status == Status.ACTIVE else None
    is_evaluated_now = live is not None and live.may_stop
    others = ModelArtifact.objects.filter(status=Status.ACTIVE).exclude(pk=row.pk)
    return Acts(
        evaluate=row.status != Status.RETIRED and not is_evaluated_now,
        stop=is_evaluated_now,
        submit=row.status == Status.EVALUATED or (is_evaluated and is_only_waived(row)),
        activate=row.status == Status.APPROVED and row.is_sound,
        beside=others.exists(),
        retire=row.status != Status.RETIRED,
        rollback_label=target.label if target else "",
    )
