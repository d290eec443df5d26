"""Guard the API: who calls is told by the token alone, every answer is JSON, and every refusal has one shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.token_callers import Caller, caller_of
from accounts.token_models import ApiScope
from common.errors import PortalError
from consent.services import require_consent
from tenants.scope import tenant_scope

ApiView = Callable[[HttpRequest, Caller], JsonResponse]


def api_read(scope: ApiScope) -> Callable[[ApiView], Callable[..., JsonResponse]]:
    """Let a view be read by whoever has a token with this scope and has accepted the current notice."""

    def decorate(view: ApiView) -> Callable[..., JsonResponse]:
        @login_not_required
        @csrf_exempt
        @require_safe
        @wraps(view)
        def guarded(request: HttpRequest) -> JsonResponse:
            try:
                caller = caller_of(request, scope=scope)
                with tenant_scope(caller.token.tenant_id):
                    require_consent(caller.account)
                    return view(request, caller)
            except PortalError as error:
                return refuse(error)

        return guarded

    return decorate


def refuse(error: PortalError) -> JsonResponse:
    """Return an error as OpenAI's clients expect it."""
    kind = "invalid_request_error" if error.http_status < 500 else "server_error"
    body = {"message": gettext(error.message), "type": kind, "param": None, "code": error.code}
    response = JsonResponse({"error": body}, status=error.http_status)
    if error.http_status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_ms:
        response.headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    return response
