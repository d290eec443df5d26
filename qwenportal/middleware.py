"""Number each request, set the headers that Django does not, and turn errors into pages."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.lockout import request_ip
from audit.services import record_event
from common.access import PermissionMissing
from common.errors import PortalError
from common.tracebacks import where
from qwenportal.views import show_error

logger = logging.getLogger("portal.web")

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Give each request a number of our own, shown on error pages and in the log; never the client's."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        request.META["PORTAL_REQUEST_ID"] = request_id = secrets.token_hex(6)
        charset = request.content_params.get("charset", "utf-8") if request.content_params else "utf-8"
        readable = charset.lower() in {"utf-8", "utf8"}
        response = self.get_response(request) if readable else HttpResponse(status=400)
        response.headers.setdefault("X-Request-ID", request_id)
        return response


class CloseConnectionsMiddleware:
    """Close the database connections of a request at its end.

    Each request has a thread of its own under ASGI, which would take an open connection with it into nowhere.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        try:
            return self.get_response(request)
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:
                    connection.close()


class SecurityHeadersMiddleware:
    """Refuse powers that no page needs, and keep personal pages out of caches."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        response = self.get_response(request)
        headers = response.headers
        headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not request.path.startswith(settings.STATIC_URL):
            headers.setdefault("Cache-Control", "no-store")
        return response


class PortalErrorMiddleware:
    """Show the portal's own errors as pages, and record refused access."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer a PortalError with its page; anything else goes on to Django's own handler."""
        if not isinstance(error, PortalError):
            return None
        if isinstance(error, PermissionMissing):
            record_event(
                action="access.denied",
                tenant_id=getattr(request.user, "tenant_id", None),
                actor=request.user.pk,
                object_type="permission",
                object_id=error.permission,
                outcome="refused",
                status=404,
                ip=request_ip(request),
            )
        if error.http_status >= 500:
            logger.error("request %s: %s", request.META["PORTAL_REQUEST_ID"], where(error))
        return show_error(request, error)
