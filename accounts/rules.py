"""Say what is asked of an account at the door, and for how long it then stays open.

Organisations set it as system parameters, within what the installation allows; operators have the installation's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from accounts.models import User
from accounts.roles import Role
from tenants.parameters import YesNo
from tenants.values import Values, tenant_values


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one account; lengths in characters."""

    password_length: int
    idle: timedelta
    lifetime: timedelta
    most_sessions: int
    needs_second_factor: bool
    second_factor_after_sso: bool


def rules_for(account: User) -> Rules:
    """Return what holds for an account now. In a database thread."""
    values = tenant_values(account.tenant_id) if account.tenant_id else Values()
    role = account.role
    is_asked_of_all = role in settings.PORTAL.second_factor_roles
    # A role that does not exist is refused where it is stored; until then it asks for nothing of its own.
    is_known = account.tenant_id is not None and role in Role.values
    needs = is_asked_of_all or (is_known and _is(values, f"second_factor_{role}"))
    return Rules(
        password_length=values.number("password_length"),
        idle=timedelta(minutes=values.number("idle_minutes")),
        lifetime=timedelta(hours=values.number("session_hours")),
        most_sessions=values.number("sessions_per_person"),
        needs_second_factor=needs,
        second_factor_after_sso=_is(values, "second_factor_after_sso"),
    )


def _is(values: Values, code: str) -> bool:
    return values.text(code) == YesNo.YES
