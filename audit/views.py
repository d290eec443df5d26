"""Show the audit log to auditors: a list, one event, the chain's verification. Reading is recorded, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from audit.forms import HIGHEST_SEQ, FilterForm
from audit.models import AuditEvent, Outcome
from audit.permissions import READ
from audit.queries import EventPage, find_event, find_events
from audit.rows import banner, event_row
from audit.services import record_event
from audit.verification import Verification, chain_length, latest_verification, verify_chain
from common.access import require_permission
from common.client import client_ip
from common.clock import monotonic_ms
from common.errors import NotFound

VERIFIED_ON_SIGHT = 20_000
"""Up to so many events, a page verifies the whole chain (about a third of a second); beyond, on request."""


class _Auditor(Protocol):
    id: UUID
    tenant_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Paging:
    newer_url: str
    older_url: str


@require_safe
@require_permission(READ)
def log(request: HttpRequest) -> HttpResponse:
    """List events, newest first, as the filters say."""
    form = FilterForm(request.GET)
    status = 200 if form.is_valid() else 400
    _record_reading(request, status=status)
    return _render(request, form, selected=None, status=status)


@require_safe
@require_permission(READ)
def event(request: HttpRequest, seq: int) -> HttpResponse:
    """Show one event beside the list that it was chosen from."""
    selected = find_event(_tenant_of(request), seq=seq) if seq <= HIGHEST_SEQ else None
    if selected is None:
        raise NotFound
    form = FilterForm(request.GET)
    status = 200 if form.is_valid() else 400
    _record_reading(request, status=status, seq=seq)
    return _render(request, form, selected=selected, status=status)


@require_POST
@require_permission(READ)
def verify(request: HttpRequest) -> HttpResponse:
    """Verify the whole chain now; the list shows the result."""
    started = monotonic_ms()
    verification = verify_chain(_tenant_of(request))
    record_event(
        action="audit.verify",
        tenant_id=verification.tenant_id,
        actor=_auditor(request).id,
        object_type="event",
        object_id=str(verification.first_bad_seq or verification.count),
        outcome=Outcome.OK if verification.ok else Outcome.FAILED,
        status=200 if verification.ok else 409,
        duration_ms=round(monotonic_ms() - started),
        ip=_ip(request),
    )
    return redirect("audit:log")


def _render(
    request: HttpRequest, form: FilterForm, *, selected: AuditEvent | None, status: int
) -> HttpResponse:
    tenant_id = _tenant_of(request)
    verification = _verification(tenant_id)
    page = _page(tenant_id, form, selected=selected) if form.is_valid() else EventPage([], False, False)  # noqa: FBT003
    context = {
        "events": [event_row(each, verification=verification) for each in page.events],
        "selected": event_row(selected, verification=verification) if selected else None,
        "verification": banner(verification),
        "filter_form": form,
        "page": _paging(request, page),
        "query_string": request.GET.urlencode(),
    }
    return render(request, "audit/log.html", context, status=status)


def _page(tenant_id: UUID, form: FilterForm, *, selected: AuditEvent | None) -> EventPage:
    """Return the page that the address names; for an event that it does not hold, the page that begins with it."""
    wanted, before, after = form.wanted(), form.cleaned_data["before"], form.cleaned_data["after"]
    page = find_events(tenant_id, wanted=wanted, before=before, after=after)
    is_elsewhere = selected is not None and all(each.seq > selected.seq for each in page.events)
    if selected is None or not is_elsewhere:
        return page
    return find_events(tenant_id, wanted=wanted, before=selected.seq + 1)


def _paging(request: HttpRequest, page: EventPage) -> _Paging:
    if not page.events:
        return _Paging("", "")
    newer = _page_url(request, after=page.events[0].seq) if page.has_newer else ""
    older = _page_url(request, before=page.events[-1].seq) if page.has_older else ""
    return _Paging(newer, older)


def _page_url(request: HttpRequest, **cursor: int) -> str:
    kept = [(name, value) for name, value in request.GET.items() if name not in {"before", "after"}]
    return f"{reverse('audit:log')}?{urlencode([*kept, *cursor.items()])}"


def _verification(tenant_id: UUID) -> Verification | None:
    if chain_length(tenant_id) <= VERIFIED_ON_SIGHT:
        return verify_chain(tenant_id)
    return latest_verification(tenant_id)


def _record_reading(request: HttpRequest, *, status: int, seq: int | None = None) -> None:
    """Record that the log is read, before it is: what cannot be recorded is not shown."""
    record_event(
        action="audit.read",
        tenant_id=_tenant_of(request),
        actor=_auditor(request).id,
        object_type="" if seq is None else "event",
        object_id="" if seq is None else str(seq),
        outcome=Outcome.OK if status == 200 else Outcome.REFUSED,
        status=status,
        ip=_ip(request),
    )


def _auditor(request: HttpRequest) -> _Auditor:
    return cast(_Auditor, request.user)


def _tenant_of(request: HttpRequest) -> UUID:
    tenant_id = _auditor(request).tenant_id
    if tenant_id is None:
        raise NotFound
    return tenant_id


def _ip(request: HttpRequest) -> str | None:
    return client_ip(
        remote=request.META.get("REMOTE_ADDR", ""),
        forwarded_for=request.META.get("HTTP_X_FORWARDED_FOR", ""),
        trusted_proxies=settings.PORTAL.trusted_proxies,
    )
