"""Show the model pages, and hand to the registry what people decide there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.middleware import not_a_use
from accounts.models import User
from accounts.roles import MODEL_APPROVE, MODEL_CHOOSE, MODEL_MANAGE, MODEL_VIEW
from common.access import require_permission
from common.errors import BadRequest, NotFound
from console.artifacts import show_artifact
from console.goings_on import live_regions
from console.model_forms import ActivationForm, ChoiceForm, ConfirmForm, ReasonForm, RollbackForm
from console.model_pages import artifact_page, models_page
from console.viewers import Viewer
from registry import services
from registry.errors import ActRefused, ModelError, ReasonNeeded
from registry.evaluator import start_evaluation, stop_evaluation
from registry.history import MAX_REASON_CHARS
from registry.lifecycle import rollback_target
from registry.models import ModelArtifact, Status


@dataclass(frozen=True, slots=True)
class Confirm:
    """A page that asks before something that hurts: what happens, and the word to type."""

    title: str
    verb: str
    word: str
    points: list[str]
    target: UUID | None = None


@require_safe
@require_permission(MODEL_VIEW)
def models(request: HttpRequest) -> HttpResponse:
    """Show every artefact that exists for the viewer."""
    viewer = _viewer(request)
    return _render(request, "index", page=models_page(viewer), viewer=viewer)


@not_a_use
@require_safe
@require_permission(MODEL_VIEW)
def live(request: HttpRequest) -> HttpResponse:
    """Return what goes on now with each artefact, as the parts of a page."""
    return _render(request, "live_regions", regions=live_regions(_viewer(request)))


@require_safe
@require_permission(MODEL_VIEW)
def model(request: HttpRequest, artifact_id: UUID) -> HttpResponse:
    """Show one artefact."""
    return _artifact_page(request, artifact_id)


@require_POST
@require_permission(MODEL_MANAGE)
def evaluate(request: HttpRequest, artifact_id: UUID) -> HttpResponse:
    """Begin to evaluate an artefact."""
    row = _artifact(request, artifact_id)
    return _done(
        request,
        row,
        partial(start_evaluation, row.pk, by=_account(request)),
        gettext("The evaluation has begun."),
    )


@require_POST
@require_permission(MODEL_MANAGE)
def stop(request: HttpRequest, artifact_id: UUID) -> HttpResponse:
    """Stop the evaluation of an artefact."""
    row = _artifact(request, artifact_id)
    return _done(
        request,
        row,
        partial(stop_evaluation, row.pk, by=_account(request)),
        gettext("The evaluation is being stopped."),
    )


@require_POST
@require_permission(MODEL_MANAGE)
def submit(request: HttpRequest, artifact_id: UUID) -> HttpResponse:
    """Ask for a second person's approval."""
    return _with_reason(request, artifact_id, services.submit, gettext("Submitted for approval."))


@require_POST
@require_permission(MODEL_APPROVE)
def approve(request: HttpRequest, artifact_id: UUID) -> HttpResponse:
    """Approve as the second person."""
    return _with_reason(request, artifact_id, services.approve, gettext("Approved and signed."))


@require_POST
@require_permission(MODEL_APPROVE)
def reject(request: HttpRequest, artifact_id: UUID) -> HttpResponse:
    """Reject as the second person."""
    return _with_reason(request, artifact_id, services.reject, gettext("Rejected."))


@require_POST
@require_permission(MODEL_MANAGE)
def activate(request: HttpRequest, artifact_id: UUID) -> HttpResponse:
    """Put an approved artefact into use."""
    row, form = _artifact(request, artifact_id), ActivationForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    act = partial(services.activate, row, by=_account(request), activation=form.cleaned_data["activation"])
    return _done(request, row, act, gettext("%(label)s is being activated.") % {"label": row.label})


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(MODEL_MANAGE)
def rollback(request: HttpRequest) -> HttpResponse:
    """Ask whether to go back to the artefact that was in use before, and do it."""
    target = rollback_target()
    if target is None:
        raise NotFound
    word = gettext("roll back")
    form = RollbackForm(request.POST or None, word=word)
    if request.method == "POST" and form.is_valid() and form.cleaned_data["target"] == target.pk:
        act = partial(services.rollback, by=_account(request), reason=form.cleaned_data["reason"])
        return _done(request, target, act, gettext("Rolled back to %(label)s.") % {"label": target.label})
    title = gettext("Roll back to %(label)s?") % {"label": target.label}
    points = [
        gettext("New turns go to %(label)s as soon as it is ready.") % {"label": target.label},
        gettext("Answers under way are finished on the model they began on; nobody is cut off."),
        gettext("The artefact in use now stays approved and can be activated again."),
    ]
    confirm = Confirm(title=title, verb=gettext("Roll back"), word=word, points=points, target=target.pk)
    return _ask(request, target, form, confirm)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(MODEL_MANAGE)
def retire(request: HttpRequest, artifact_id: UUID) -> HttpResponse:
    """Ask whether to end an artefact's use for good, and do it."""
    row, word = _artifact(request, artifact_id), gettext("retire")
    if row.status == Status.RETIRED:
        raise NotFound
    form = ConfirmForm(request.POST or None, word=word)
    if request.method == "POST" and form.is_valid():
        act = partial(services.retire, row, by=_account(request), reason=form.cleaned_data["reason"])
        return _done(request, row, act, gettext("%(label)s is retired.") % {"label": row.label})
    title = gettext("Retire %(label)s for good?") % {"label": row.label}
    confirm = Confirm(title=title, verb=gettext("Retire"), word=word, points=_retirement(row))
    return _ask(request, row, form, confirm)


@require_POST
@require_permission(MODEL_CHOOSE)
def choose(request: HttpRequest) -> HttpResponse:
    """Let the organisation use one of its models, or follow the installation."""
    account, form = _account(request), ChoiceForm(request.POST)
    if account.tenant is None or not form.is_valid():
        raise BadRequest
    wanted = form.cleaned_data["artifact"]
    row = _viewer(request).artifact(wanted) if wanted else None
    act = partial(services.choose_for_tenant, account.tenant, row, by=account)
    said = (
        gettext("New turns use %(label)s.") % {"label": row.label}
        if row
        else gettext("New turns use the default.")
    )
    return _done(request, None, act, said)


def _retirement(row: ModelArtifact) -> list[str]:
    points = [
        gettext("This cannot be undone: the file can then be neither approved nor activated again."),
        gettext("The record of its evaluation, approvals and use stays."),
    ]
    if row.status == Status.ACTIVE:
        points.insert(0, gettext("It is in use. Answers under way are finished, then it stops."))
    return points


def _with_reason(
    request: HttpRequest, artifact_id: UUID, service: Callable[..., None], said: str
) -> HttpResponse:
    """Do what may need a reason; where one is missing, the page comes back and asks for it."""
    row, form = _artifact(request, artifact_id), ReasonForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    reason = form.cleaned_data["reason"]
    try:
        return _done(request, row, partial(service, row, by=_account(request), reason=reason), said)
    except ReasonNeeded as error:
        return _artifact_page(request, artifact_id, typed=reason, error=gettext(error.message))


def _done(
    request: HttpRequest, row: ModelArtifact | None, act: Callable[[], object], said: str
) -> HttpResponse:
    """Do the act and say so, or say why the registry refused. Raises ReasonNeeded."""
    try:
        act()
    except ReasonNeeded:
        raise
    except ActRefused as error:
        messages.error(request, gettext(error.message))
    except ModelError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, said)
    return redirect("console:model", row.pk) if row else redirect("console:models")


def _artifact_page(
    request: HttpRequest, artifact_id: UUID, *, typed: str = "", error: str = ""
) -> HttpResponse:
    viewer, row = _viewer(request), _artifact(request, artifact_id)
    page = artifact_page(row, viewer, against=_against(request, viewer), typed=typed, error=error)
    return _render(request, "artifact", page=page, viewer=viewer, status=400 if error else 200)


def _against(request: HttpRequest, viewer: Viewer) -> ModelArtifact | None:
    """Return what the page's own form asked to compare with. Raises NotFound."""
    form = ChoiceForm({"artifact": request.GET.get("against", "")})
    wanted = form.cleaned_data["artifact"] if form.is_valid() else None
    return viewer.artifact(wanted) if wanted else None


def _ask(request: HttpRequest, row: ModelArtifact, form: ConfirmForm, confirm: Confirm) -> HttpResponse:
    status = 400 if form.is_bound else 200
    return _render(request, "confirm", artifact=show_artifact(row), form=form, confirm=confirm, status=status)


def _render(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    context |= {"reason_max_chars": MAX_REASON_CHARS}
    return render(request, f"console/models/{name}.html", context, status=status)


def _artifact(request: HttpRequest, artifact_id: UUID) -> ModelArtifact:
    return _viewer(request).artifact(artifact_id)


def _viewer(request: HttpRequest) -> Viewer:
    return Viewer.of(_account(request))


def _account(request: HttpRequest) -> User:
    return cast(User, request.user)
