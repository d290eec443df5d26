"""Lead the draft to publication and back, by two people: history, differences, decisions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.roles import POLICY_APPROVE, POLICY_EDIT, POLICY_VIEW
from common.access import require_permission
from common.errors import BadRequest
from console.model_forms import ReasonForm
from console.policy_trials import PATIENCE_S, TRIALS
from console.policy_versions import show_versions, version_of, version_page
from policy import rulesets
from policy.errors import PolicyActRefused, PolicyReasonNeeded
from policy.history import MAX_REASON_CHARS
from policy.models import RuleSetVersion, Status
from tenants.scope import tenant_scope

# How often the page of a run that is under way comes again, in seconds.
LOOK_AGAIN_S = 2


@require_safe
@require_permission(POLICY_VIEW)
def history(request: HttpRequest) -> HttpResponse:
    """Show every version, with what changed in it."""
    context = {"versions": show_versions(_account(request))}
    return render(request, "console/policy/history.html", context)


@require_safe
@require_permission(POLICY_VIEW)
def version(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Show one version: what changed, what the dry run found, who decided."""
    return _version(request, version_of(version_id))


@require_POST
@require_permission(POLICY_EDIT)
def try_out(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Run the draft on the sample texts, beside what is in force; what takes long goes on beside the page."""
    row = version_of(version_id)
    return _done(request, row, partial(_try, request, row), "")


@require_POST
@require_permission(POLICY_EDIT)
def stop_trying(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Stop a dry run that is under way in this process, and say so where there is none."""
    row = version_of(version_id)
    if TRIALS.stop(row.pk):
        messages.info(request, gettext("The dry run is stopped."))
    else:
        messages.info(
            request,
            gettext("No dry run of this version is under way on this server: it ended, or another runs it."),
        )
    return redirect("console:policy_version", row.pk)


def _try(request: HttpRequest, row: RuleSetVersion) -> None:
    """Begin a run and wait for a short one. Raises PolicyActRefused."""
    by = _account(request)
    trial = TRIALS.begin(row.pk, rulesets.prepare_dry_run(row, by=by))
    if trial is None:
        messages.info(request, gettext("Other dry runs are under way. Please try again in a minute."))
        return
    trial.ended.wait(PATIENCE_S)
    if trial.leave(partial(_store, row, trial.run, by)):
        return
    if trial.figures:
        rulesets.finish_dry_run(row, trial.run, trial.figures, by=by)
        messages.success(request, gettext("The draft was tried on the sample texts."))


def _store(row: RuleSetVersion, run: rulesets.DryRun, by: User, figures: dict[str, Any]) -> None:
    """Store the figures of a run that nobody waited for, in its own thread; drop those of a draft that went on."""
    try:
        with tenant_scope(row.tenant_id), suppress(PolicyActRefused, RuleSetVersion.DoesNotExist):
            rulesets.finish_dry_run(row, run, figures, by=by)
    finally:
        connections.close_all()


@require_POST
@require_permission(POLICY_EDIT)
def submit(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Ask for a second person's approval."""
    row, note = version_of(version_id), _reason(request)
    return _done(
        request,
        row,
        partial(rulesets.submit, row, by=_account(request), note=note),
        gettext("Submitted for approval."),
    )


@require_POST
@require_permission(POLICY_EDIT)
def discard(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Give the draft up."""
    row = version_of(version_id)
    act = partial(rulesets.discard_draft, row, by=_account(request))
    return _done(request, row, act, gettext("The draft is discarded."))


@require_POST
@require_permission(POLICY_EDIT)
def reopen(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Take a version back to work on it."""
    row = version_of(version_id)
    act = partial(rulesets.reopen, row, by=_account(request))
    return _done(request, row, act, gettext("Taken back: it can be changed again."))


@require_POST
@require_permission(POLICY_APPROVE)
def approve(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Approve as the second person, or alone with a reason where there is none."""
    row, reason = version_of(version_id), _reason(request)
    act = partial(
        rulesets.approve, row, by=_account(request), reason=reason, seen=request.POST.get("submission")
    )
    return _with_reason(request, row, act, gettext("Approved."), typed=reason)


@require_POST
@require_permission(POLICY_APPROVE)
def reject(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Send a version back to its author."""
    row, reason = version_of(version_id), _reason(request)
    act = partial(rulesets.reject, row, by=_account(request), reason=reason)
    return _with_reason(request, row, act, gettext("Sent back."), typed=reason)


@require_POST
@require_permission(POLICY_EDIT)
def publish(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Put an approved version into force."""
    row = version_of(version_id)
    act = partial(rulesets.publish, row, by=_account(request))
    return _done(request, row, act, gettext("Published: every new turn follows it within seconds."))


@require_POST
@require_permission(POLICY_EDIT)
def rollback(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Bring back what an earlier version says; what would be weaker waits for approval."""
    row, reason = version_of(version_id), _reason(request)
    try:
        brought = rulesets.rollback(row, by=_account(request), reason=reason)
    except PolicyReasonNeeded as error:
        return _version(request, row, typed=reason, error=gettext(str(error)), status=400)
    except PolicyActRefused as error:
        messages.error(request, gettext(str(error)))
        return redirect("console:policy_version", row.pk)
    if brought.status == Status.PUBLISHED:
        messages.success(request, gettext("%(label)s is in force again.") % {"label": row.label})
    else:
        messages.info(request, gettext("Something would be weaker than now: it waits for a second person."))
    return redirect("console:policy_version", brought.pk)


def _with_reason(
    request: HttpRequest, row: RuleSetVersion, act: Callable[[], object], said: str, *, typed: str
) -> HttpResponse:
    """Do what may need a reason; where one is missing, the page comes back and asks for it."""
    try:
        return _done(request, row, act, said)
    except PolicyReasonNeeded as error:
        return _version(request, version_of(row.pk), typed=typed, error=gettext(str(error)), status=400)


def _done(request: HttpRequest, row: RuleSetVersion, act: Callable[[], object], said: str) -> HttpResponse:
    """Do the act and say so, or say why it was refused. Raises PolicyReasonNeeded."""
    try:
        act()
    except PolicyReasonNeeded:
        raise
    except PolicyActRefused as error:
        messages.error(request, gettext(str(error)))
    else:
        if said:
            messages.success(request, said)
    is_there = RuleSetVersion.objects.filter(pk=row.pk).exclude(status=Status.DISCARDED).exists()
    return redirect("console:policy_version", row.pk) if is_there else redirect("console:policy")


def _version(
    request: HttpRequest, row: RuleSetVersion, *, typed: str = "", error: str = "", status: int = 200
) -> HttpResponse:
    page = version_page(row, _account(request), typed=typed, error=error)
    trial = TRIALS.running(row.pk)
    context = {"page": page, "reason_max_chars": MAX_REASON_CHARS, "trial": trial}
    response = render(request, "console/policy/version.html", context, status=status)
    if trial is not None:
        response["Refresh"] = str(LOOK_AGAIN_S)
    return response


def _reason(request: HttpRequest) -> str:
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    return str(form.cleaned_data["reason"])


def _account(request: HttpRequest) -> User:
    return cast(User, request.user)
