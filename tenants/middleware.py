"""Open the tenant scope of the person who asks."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tenants.scope import tenant_scope


class TenantScopeMiddleware:
    """Run each request in the scope of its account's tenant; without one, tenant data stays out of reach."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        tenant_id = getattr(request.user, "tenant_id", None)
        if tenant_id is None:
            return self.get_response(request)
        with tenant_scope(tenant_id):
            return self.get_response(request)
