"""Add people: one by one here, many at once in accounts.importing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from accounts.acting import recorded
from accounts.administration import ROLE_ACTIONS
from accounts.errors import AdminThere, RoleImpossible
from accounts.invitations import Invitation, prepare_invitation, read_invitation
from accounts.models import User, make_handle
from accounts.names import plain_name
from accounts.roles import ACCOUNT_MANAGE, TENANT_MANAGE, Role
from accounts.temporary import make_temporary, temporary_password
from audit.services import record_event
from common.access import PermissionMissing
from tenants.models import Tenant


class Way(StrEnum):
    """How a new person comes in."""

    INVITATION = "invitation"  # by a link, with which they set their own password
    PASSWORD = "password"  # noqa: S105 - by a temporary password, which they must change
    DIRECTORY = "directory"  # through one of the organisation's identity providers only


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who has no account yet."""

    login: str
    display_name: str
    department: str = ""
    role: str = Role.MEMBER


@dataclass(frozen=True, slots=True)
class Welcome:
    """A new account, and what its person needs to come in: one of the two, or nothing. Neither is stored anywhere."""

    account: User
    password: str = ""
    invitation: Invitation | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An account that is ready to be stored, its password hashed."""

    account: User


def prepare(newcomer: Newcomer, account_id: UUID, *, tenant_id: UUID, way: Way, password: str) -> Prepared:
    """Return a checked newcomer's account, before any lock is taken: hashing takes time."""
    account = check_newcomer(newcomer, tenant=Tenant.objects.get(pk=tenant_id))
    account.id = account_id
    if way == Way.INVITATION:
        prepare_invitation(account)
    elif way == Way.PASSWORD:
        make_temporary(account, password)
    return Prepared(account)


def store_prepared(prepared: Prepared, *, tenant: Tenant, by: User) -> bool:
    """Store an account and record it, in the caller's transaction; return False where its login is taken."""
    account = prepared.account
    handle = make_handle(organisation=tenant.code, login=account.login_name)
    if User.objects.filter(handle=handle).exists():
        return False
    account.save(force_insert=True)
    _record(account, "account.create", by=by)
    if account.role != Role.MEMBER:
        _record(account, ROLE_ACTIONS[account.role], by=by)
    return True


def add_account(newcomer: Newcomer, *, way: Way, by: User) -> Welcome:
    """Add somebody to the organisation of `by`, or an operator where `by` is one.

    Raises PermissionMissing, RoleImpossible for a role that the organisation does not have, and ValidationError for a
    malformed or taken login, an empty name, or odd characters.
    """
    account_id = uuid.uuid4()
    with recorded(
        "account.create", by=by.id, chain=by.tenant_id, object_type="account", object_id=account_id
    ):
        tenant = _locked_tenant(by.tenant_id)
        if not User.objects.get(pk=by.pk).has_permission(ACCOUNT_MANAGE):
            raise PermissionMissing(ACCOUNT_MANAGE)
        return _add(newcomer, account_id, tenant=tenant, way=way, by=by)


def appoint_first_admin(tenant: Tenant, newcomer: Newcomer, *, way: Way, by: User) -> Welcome:
    """Give an organisation its first administrator, in the name of an operator.

    Of several who do so at once, one succeeds. Raises PermissionMissing, AdminThere where the organisation has an
    active administrator, and ValidationError.
    """
    account_id = uuid.uuid4()
    admin = Newcomer(newcomer.login, newcomer.display_name, newcomer.department, Role.ADMIN)
    with recorded("account.create", by=by.id, chain=tenant.id, object_type="account", object_id=account_id):
        locked = _locked_tenant(tenant.id)
        if not User.objects.get(pk=by.pk).has_permission(TENANT_MANAGE):
            raise PermissionMissing(TENANT_MANAGE)
        if User.objects.filter(tenant=locked, role=Role.ADMIN, is_active=True).exists():
            raise AdminThere
        return _add(admin, account_id, tenant=locked, way=way, by=by)


def renew_first_admin(tenant: Tenant, *, by: User) -> Welcome:
    """Hand out a new link for a first administrator who has never come in; without it nobody could help them.

    Raises PermissionMissing, and AdminThere where an administrator has come in, or none was invited.
    """
    with recorded("account.invite", by=by.id, chain=tenant.id, object_type="tenant", object_id=tenant.id):
        locked = _locked_tenant(tenant.id)
        if not User.objects.get(pk=by.pk).has_permission(TENANT_MANAGE):
            raise PermissionMissing(TENANT_MANAGE)
        admins = list(User.objects.filter(tenant=locked, role=Role.ADMIN, is_active=True))
        if len(admins) != 1 or admins[0].invited_until is None or admins[0].last_login is not None:
            raise AdminThere
        prepare_invitation(admins[0])
        admins[0].save(update_fields=["password", "invited_until"])
    return Welcome(admins[0], invitation=read_invitation(admins[0].pk))


def check_newcomer(newcomer: Newcomer, *, tenant: Tenant | None) -> User:
    """Return the account as it would be stored, without way in. Raises RoleImpossible and ValidationError."""
    if newcomer.role not in (ROLE_ACTIONS if tenant else (Role.OPERATOR,)):
        raise RoleImpossible
    account = User(
        tenant=tenant,
        login_name=newcomer.login.strip().casefold(),
        display_name=plain_name(newcomer.display_name),
        department=plain_name(newcomer.department),
        role=newcomer.role,
        password=make_password(None),
    )
    account.full_clean(exclude=["handle", "tenant"], validate_constraints=False)
    return account


def _add(newcomer: Newcomer, account_id: UUID, *, tenant: Tenant | None, way: Way, by: User) -> Welcome:
    account = check_newcomer(newcomer, tenant=tenant)
    account.id = account_id
    handle = make_handle(organisation=tenant.code if tenant else "", login=account.login_name)
    if User.objects.filter(handle=handle).exists():
        said = gettext("There is an account with this name already.")
        raise ValidationError({"login_name": ValidationError(said, code="taken")})
    password = _prepare(account, way)
    account.save(force_insert=True)
    if newcomer.role in ROLE_ACTIONS and newcomer.role != Role.MEMBER:
        _record(account, ROLE_ACTIONS[account.role], by=by)
    invitation = read_invitation(account.pk) if way == Way.INVITATION else None
    return Welcome(account, password=password, invitation=invitation)


def _prepare(account: User, way: Way) -> str:
    """Give the account its way in; return the temporary password, if that is the way."""
    if way == Way.INVITATION:
        prepare_invitation(account)
    if way != Way.PASSWORD:
        return ""
    password = temporary_password()
    make_temporary(account, password)
    return password


def _record(account: User, action: str, *, by: User) -> None:
    record_event(
        action=action,
        tenant_id=account.tenant_id,
        actor=by.id,
        object_type="account",
        object_id=str(account.pk),
    )


def _locked_tenant(tenant_id: UUID | None) -> Tenant | None:
    """Return the organisation, locked: whoever adds or changes people there waits."""
    return Tenant.objects.select_for_update().get(pk=tenant_id) if tenant_id else None
