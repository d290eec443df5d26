"""Say what each role of an organisation may do, out of the permissions that are in force."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import roles
from accounts.administration import ROLE_ACTIONS
from accounts.roles import Role, permissions_of
from tenants.models import Tenant

# Nobody holds what stands first with an empty name: it is there to be read.
ROWS: tuple[tuple[str, str | Promise], ...] = (
    (roles.CHAT_USE, _("Chat; see and erase one’s own data")),
    ("", _("Read other people’s conversations")),
    (roles.CONSOLE_VIEW, _("See statistics")),
    (roles.ACCOUNT_MANAGE, _("Manage users and roles")),
    (roles.MODEL_CHOOSE, _("Choose the organisation’s model")),
    (roles.POLICY_EDIT, _("Write and publish policy rules")),
    (roles.POLICY_APPROVE, _("Approve rules as the second person")),
    (roles.MODEL_APPROVE, _("Approve models")),
    (roles.AUDIT_READ, _("Read, verify and export the audit log")),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One permission, and which roles have it, in the order of the columns."""

    label: str | Promise
    granted: list[bool]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The table of roles and permissions."""

    roles: list[str]
    rows: list[Row]


def role_matrix(tenant: Tenant) -> Matrix:
    """Return the table for one organisation."""
    separation = tenant.three_admin_separation
    held = [permissions_of(role, three_admin_separation=separation) for role in ROLE_ACTIONS]
    return Matrix(
        roles=[str(Role(role).label) for role in ROLE_ACTIONS],
        rows=[Row(label, [name in granted for granted in held]) for name, label in ROWS],
    )
