"""Show errors, and tell load balancers how the portal is."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from chat.runtime import runtime
from common.errors import BadRequest, NotFound, PortalError
from crypto.errors import KeyUnavailable
from crypto.services import check_keys

ERROR_PAGES = (400, 403, 404, 429, 500, 503)


@login_not_required
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process serves."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 when a turn could run: database, keys and engine; otherwise 503 with what is missing.

    An engine that is "partly" there answers some organisations: the others' model is not ready. "stand-in": another
    model answers in the place of one that cannot run.
    """
    checks = {"database": _database_answers(), "keys": _keys_open()}
    states = {name: "ok" if good else "unavailable" for name, good in checks.items()}
    states["engine"] = runtime().readiness
    ready = "unavailable" not in states.values()
    body = {"status": "ready" if ready else "unavailable", "checks": states}
    response = JsonResponse(body, status=200 if ready else 503)
    response._has_been_logged = True  # type: ignore[attr-defined] # asked every few seconds; not ready is no error
    return response


def show_error(request: HttpRequest, error: PortalError) -> HttpResponse:
    """Return the error's page in the person's language, with the number of the request."""
    page = error.http_status if error.http_status in ERROR_PAGES else 500
    context = {
        "request_id": request.META.get("PORTAL_REQUEST_ID", ""),
        "message": gettext(error.message),
        "code": error.code,
        "retry_after_s": -(-error.retry_after_ms // 1000) if error.retry_after_ms else None,
    }
    response = render(request, f"errors/{page}.html", context, status=error.http_status)
    if context["retry_after_s"]:
        response.headers["Retry-After"] = str(context["retry_after_s"])
    return response


@login_not_required
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 (Django's signature)
    """Show 400."""
    return show_error(request, BadRequest())


@login_not_required
def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 (Django's signature)
    """Show 404, the same for what is missing and what is forbidden."""
    return show_error(request, NotFound())


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """Show 500."""
    return show_error(request, PortalError())


@login_not_required
def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 (Django's signature)
    """Show 403 for a form that did not come from our page."""
    return render(
        request, "errors/403.html", {"request_id": request.META.get("PORTAL_REQUEST_ID", "")}, status=403
    )


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _keys_open() -> bool:
    try:
        check_keys()
    except KeyUnavailable:
        return False
    return True
