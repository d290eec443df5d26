"""Say who may do what with models."""

from __future__ import annotations

from django.conf import settings

from accounts.models import User
from accounts.roles import MODEL_MANAGE
from common.access import PermissionMissing
from registry.errors import PersonNeeded


def require_manager(by: User | None) -> None:
    """Raise PermissionMissing unless `by` manages models; PersonNeeded in production where nobody signs for the act."""
    if by is None:
        if settings.PORTAL.mode == "production":
            raise PersonNeeded
    elif not by.has_permission(MODEL_MANAGE):
        raise PermissionMissing(MODEL_MANAGE)
