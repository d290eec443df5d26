"""Guard views by permission, where missing and forbidden look the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, cast

from django.http import HttpRequest, HttpResponse

from common.errors import NotFound

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


class HasPermissions(Protocol):
    """An account, as far as this floor needs to know it."""

    def has_permission(self, name: str) -> bool:
        """Return whether the account's role grants the permission."""


class PermissionMissing(NotFound):
    """The account's role does not grant what the view needs; shown as a missing page."""

    def __init__(self, permission: str) -> None:
        super().__init__()
        self.permission = permission


def require_permission(name: str) -> Callable[[View[P]], View[P]]:
    """Let only accounts in whose role grants `name`; others get the page for missing things.

    Signing in is required before this by LoginRequiredMiddleware. Raises PermissionMissing.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not cast(HasPermissions, request.user).has_permission(name):
                raise PermissionMissing(name)
            return view(request, *args, **kwargs)

        return guarded

    return decorate
