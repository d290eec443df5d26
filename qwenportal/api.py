"""Keep the API apart from the pages: no cookie reaches it, and nothing but JSON leaves it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from chat.api import refuse
from common.errors import BadRequest, NotFound, PortalError

PREFIX = "/v1/"
JSON = "application/json"


class MethodRefused(PortalError):
    """The address does not take this method."""

    code = "method_not_allowed"
    http_status = 405
    message = "This address does not take this method."


_BY_STATUS: dict[int, type[PortalError]] = {400: BadRequest, 404: NotFound, 405: MethodRefused}


class ApiMiddleware:
    """Take the cookies from requests to the API before anybody reads them, and turn error pages into JSON.

    A browser sends cookies along by itself; a session must never count where no CSRF token is asked for.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        request.META.pop("HTTP_COOKIE", None)
        request.COOKIES = {}
        response = self.get_response(request)
        response.cookies.clear()
        if response.headers.get("Content-Type", "").startswith(JSON):
            return response
        return _as_json(response)


def _as_json(response: HttpResponse) -> HttpResponse:
    error = _BY_STATUS.get(response.status_code, PortalError)()
    refused = refuse(error)
    for name in ("Allow", "Retry-After"):
        if name in response.headers:
            refused.headers[name] = response.headers[name]
    return refused
