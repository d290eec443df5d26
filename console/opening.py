"""Open organisations: with their keys, a first notice, and a first administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from accounts.models import User
from accounts.roles import TENANT_MANAGE, Role
from accounts.services import create_account
from accounts.temporary import temporary_password
from common.access import PermissionMissing
from consent.notice_files import default_notices
from consent.services import NoticeText, publish_notice
from crypto.services import create_tenant_keys
from registry.services import announce_change
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.services import create_tenant


@dataclass(frozen=True, slots=True)
class Opened:
    """A new organisation, its first administrator, and the password to be shown once and kept nowhere."""

    tenant: Tenant
    admin: User
    password: str


def open_tenant(
    *,
    code: str,
    name: str,
    notices: Mapping[str, NoticeText] | None = None,
    actor: UUID | None = None,
) -> Tenant:
    """Create an organisation that is ready for its people: keys and a first notice. Raises ValidationError."""
    with transaction.atomic():
        tenant = create_tenant(code=code, name=name, actor=actor)
        create_tenant_keys(tenant.id)
        with tenant_scope(tenant.id):
            publish_notice(texts=notices or default_notices(), actor=None)
        announce_change()
    return tenant


def open_organisation(*, code: str, name: str, login: str, display_name: str, by: User) -> Opened:
    """Create an organisation with its first administrator, who gets a temporary password; all of it or nothing.

    Raises PermissionMissing, and ValidationError, by field where it can be.
    """
    acting = User.objects.filter(pk=by.pk).first()
    if acting is None or not acting.has_permission(TENANT_MANAGE):
        raise PermissionMissing(TENANT_MANAGE)
    password = temporary_password()
    try:
        with transaction.atomic():
            tenant = open_tenant(code=code, name=name, actor=acting.pk)
            admin = create_account(
                tenant=tenant,
                login=login,
                display_name=display_name,
                role=Role.ADMIN,
                password=password,
                is_temporary=True,
            )
    except IntegrityError:  # two operators at the same moment
        raise ValidationError({"code": gettext("There is an organisation with this code already.")}) from None
    return Opened(tenant, admin, password)
