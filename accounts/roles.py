"""Say what each role may do.

One account holds one role: that an auditor holds no other, and that three-administrator separation (三员分立) means
three different people, then need no further check. With the separation off, an admin also holds the security
officer's permissions. ACCOUNT_MANAGE reaches the own organisation; in the hands of operators, other operators.
IDENTITY_MANAGE reaches the own organisation's identity providers; in the hands of operators, every organisation's.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

CHAT_USE = "chat.use"
API_USE = "api.use"
CONSOLE_VIEW = "console.view"
POLICY_VIEW = "policy.view"
POLICY_EDIT = "policy.edit"
POLICY_APPROVE = "policy.approve"
AUDIT_READ = "audit.read"
INSTALLATION_VIEW = "installation.view"
ACCOUNT_MANAGE = "account.manage"
ACCOUNT_IMPORT = "account.import"
TENANT_MANAGE = "tenant.manage"
IDENTITY_MANAGE = "identity.manage"
MODEL_VIEW = "model.view"
MODEL_MANAGE = "model.manage"
MODEL_APPROVE = "model.approve"
MODEL_CHOOSE = "model.choose"
PARAMETER_VIEW = "parameter.view"
PARAMETER_EDIT = "parameter.edit"
PARAMETER_APPROVE = "parameter.approve"
NOTICE_VIEW = "notice.view"
NOTICE_EDIT = "notice.edit"
NOTICE_APPROVE = "notice.approve"


class Role(models.TextChoices):
    """What an account is for."""

    MEMBER = "member", _("Member")
    ADMIN = "admin", _("Administrator")
    OFFICER = "officer", _("Security officer")
    AUDITOR = "auditor", _("Auditor")
    OPERATOR = "operator", _("Operator")


ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    Role.MEMBER: frozenset({CHAT_USE, API_USE}),
    Role.ADMIN: frozenset(
        {
            CONSOLE_VIEW,
            ACCOUNT_MANAGE,
            ACCOUNT_IMPORT,
            IDENTITY_MANAGE,
            MODEL_VIEW,
            MODEL_CHOOSE,
            PARAMETER_VIEW,
            PARAMETER_EDIT,
            NOTICE_VIEW,
            NOTICE_EDIT,
        }
    ),
    Role.OFFICER: frozenset(
        {
            POLICY_VIEW,
            POLICY_EDIT,
            POLICY_APPROVE,
            MODEL_VIEW,
            MODEL_APPROVE,
            PARAMETER_VIEW,
            PARAMETER_APPROVE,
            NOTICE_VIEW,
            NOTICE_APPROVE,
        }
    ),
    Role.AUDITOR: frozenset({AUDIT_READ}),
    Role.OPERATOR: frozenset(
        {
            INSTALLATION_VIEW,
            ACCOUNT_MANAGE,
            TENANT_MANAGE,
            IDENTITY_MANAGE,
            MODEL_VIEW,
            MODEL_MANAGE,
            MODEL_APPROVE,
            PARAMETER_VIEW,
            PARAMETER_EDIT,
            PARAMETER_APPROVE,
        }
    ),
}

LANDING_PAGES: dict[str, str] = {
    Role.MEMBER: "chat:home",
    Role.ADMIN: "console:dashboard",
    Role.OFFICER: "console:policy",
    Role.AUDITOR: "audit:log",
    Role.OPERATOR: "console:installation",
}


def permissions_of(role: str, *, three_admin_separation: bool) -> frozenset[str]:
    """Return the permissions of a role; an unknown role has none."""
    granted = ROLE_PERMISSIONS.get(role, frozenset())
    if role == Role.ADMIN and not three_admin_separation:
        return granted | ROLE_PERMISSIONS[Role.OFFICER]
    return granted
