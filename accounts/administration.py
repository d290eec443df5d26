"""Give people their role, shut them out and let them in again, and keep the three administrators apart.

Every change is one transaction with its audit event; a refusal is recorded outside it. Changes in one organisation wait
for each other, and who acts is read anew once it is their turn: two administrators cannot demote each other, and one
who has just been demoted changes nothing any more.

An administrator acts on the own organisation, an operator on operators. An account of anybody else looks like none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, QuerySet

from accounts.acting import recorded
from accounts.errors import LastOfRole, OwnAccount, RoleImpossible, RolesMissing
from accounts.live import end_live_sessions
from accounts.models import User
from accounts.names import plain_name
from accounts.quotas import require_room
from accounts.roles import ACCOUNT_MANAGE, TENANT_MANAGE, Role
from accounts.session_models import PortalSession
from accounts.tokens import end_tokens
from audit.models import Outcome
from audit.services import record_event
from common.access import PermissionMissing
from tenants.models import Tenant

ROLE_ACTIONS: dict[str, str] = {
    Role.MEMBER: "account.make_member",
    Role.ADMIN: "account.make_admin",
    Role.OFFICER: "account.make_officer",
    Role.AUDITOR: "account.make_auditor",
}
SEPARATED = (Role.ADMIN, Role.OFFICER, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class Act:
    """The two people of an act as they are now, locked until it is done; `tenant` is None among operators."""

    by: User
    account: User
    tenant: Tenant | None


def change_role(account: User, *, role: str, by: User) -> None:
    """Give an account another role; its sessions, sockets and running turns end. The same role again changes nothing.

    Raises PermissionMissing, OwnAccount, RoleImpossible and LastOfRole.
    """
    action = ROLE_ACTIONS.get(role, "account.make_member")
    with act_on(action, account, by=by) as act:
        if role not in ROLE_ACTIONS or act.account.role == Role.OPERATOR:
            raise RoleImpossible
        if act.account.role != role:
            _require_others(act)
            write_account(act.account, role=role)
            end_tokens(act.account)


def disable_account(account: User, *, by: User) -> None:
    """Shut an account out; its sessions, sockets and running turns end.

    Raises PermissionMissing, OwnAccount and LastOfRole.
    """
    with act_on("account.disable", account, by=by) as act:
        if act.account.is_active:
            _require_others(act)
            write_account(act.account, is_active=False)
            end_tokens(act.account)


def enable_account(account: User, *, by: User) -> None:
    """Let a disabled account in again; the sessions from before stay ended.

    Raises PermissionMissing, OwnAccount, and AccountsFull where the quota is used up.
    """
    with act_on("account.enable", account, by=by) as act:
        if not act.account.is_active:
            require_room(act.tenant)
            write_account(act.account, is_active=True)


def sign_out_everywhere(account: User, *, by: User) -> None:
    """Sign an account out everywhere; its sockets and running turns end. Raises PermissionMissing and OwnAccount."""
    with act_on("account.end_sessions", account, by=by) as act:
        end_sessions(act.account)


def edit_account(account: User, *, display_name: str, department: str, by: User) -> None:
    """Change what an account is shown by; its sessions go on. Raises PermissionMissing, OwnAccount, ValidationError."""
    with act_on("account.edit", account, by=by) as act:
        person = act.account
        person.display_name, person.department = plain_name(display_name), plain_name(department)
        person.full_clean(exclude=["handle", "password"])
        person.save(update_fields=["display_name", "department"])


def set_separation(tenant: Tenant, *, is_on: bool, by: User) -> list[UUID]:
    """Demand three different people as administrator, security officer and auditor, or no longer.

    An operator's decision: switched off, it gives administrators the officer's permissions, which they cannot give
    themselves. What administrators have open ends; their ids are returned. Raises PermissionMissing, and
    RolesMissing where one of the three is nobody's.
    """
    action = "tenant.separate" if is_on else "tenant.unite"
    named = tenant.id if by.tenant_id in (None, tenant.id) else None
    with recorded(action, by=by.id, chain=by.tenant_id or tenant.id, object_type="tenant", object_id=named):
        locked = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if not User.objects.get(pk=by.pk).has_permission(TENANT_MANAGE):
            raise PermissionMissing(TENANT_MANAGE)
        if is_on and any(not _holders(locked, role).exists() for role in SEPARATED):
            raise RolesMissing
        if locked.three_admin_separation == is_on:
            return []
        Tenant.objects.filter(pk=tenant.pk).update(three_admin_separation=is_on)
        admins = list(_holders(locked, Role.ADMIN))
        for admin in admins:
            end_sessions(admin)
        return [admin.pk for admin in admins]


def find_account(handle: str, *, by: User) -> User:
    """Return the account of this handle that `by` manages. Raises PermissionMissing for any other, existing or not."""
    found = User.objects.filter(handle=handle.strip().casefold(), tenant=by.tenant).first()
    if found is None or not by.has_permission(ACCOUNT_MANAGE):
        record_event(
            action="access.denied",
            tenant_id=by.tenant_id,
            actor=by.id,
            object_type="permission",
            object_id=ACCOUNT_MANAGE,
            outcome=Outcome.REFUSED,
            status=404,
        )
        raise PermissionMissing(ACCOUNT_MANAGE)
    return found


@contextmanager
def act_on(action: str, account: User, *, by: User) -> Iterator[Act]:
    """Do an act on an account in the name of `by`, who is not allowed to be the same person.

    What happens inside and its event are one transaction; a refusal is recorded by itself. Raises PermissionMissing and
    OwnAccount.
    """
    # Another organisation's account is not named in the chain of this one.
    target = account.id if account.tenant_id == by.tenant_id else None
    with recorded(action, by=by.id, chain=by.tenant_id, object_type="account", object_id=target):
        act = _lock(account, by=by)
        if not act.by.has_permission(ACCOUNT_MANAGE) or act.by.tenant_id != act.account.tenant_id:
            raise PermissionMissing(ACCOUNT_MANAGE)
        if act.by == act.account:
            raise OwnAccount
        yield act


def _lock(account: User, *, by: User) -> Act:
    """Wait until nobody else changes accounts of the same organisation, or operators, and read both people anew."""
    if by.tenant_id is not None:
        tenant = Tenant.objects.select_for_update().get(pk=by.tenant_id)
    else:
        tenant = None
        operators = User.objects.filter(role=Role.OPERATOR).order_by("pk")
        list(operators.select_for_update(of=("self",)))
    people = User.objects.in_bulk([account.pk, by.pk])
    if len(people) < len({account.pk, by.pk}):
        raise PermissionMissing(ACCOUNT_MANAGE)
    return Act(by=people[by.pk], account=people[account.pk], tenant=tenant)


def _require_others(act: Act) -> None:
    """Raise LastOfRole where nobody would be left of a role that cannot be without one."""
    role = act.account.role
    if not act.account.is_active or role == Role.MEMBER:
        return
    if role in (Role.OFFICER, Role.AUDITOR) and not (act.tenant and act.tenant.three_admin_separation):
        return
    if not _holders(act.tenant, role).exclude(pk=act.account.pk).exists():
        raise LastOfRole


def _holders(tenant: Tenant | None, role: str) -> QuerySet[User]:
    return User.objects.filter(tenant=tenant, role=role, is_active=True)


def write_account(account: User, **fields: object) -> None:
    """Write these fields of an account, and end what it has open."""
    User.objects.filter(pk=account.pk).update(**fields)
    end_sessions(account)


def end_sessions(account: User) -> None:
    """End the sessions, sockets and running turns of an account, in the caller's transaction."""
    User.objects.filter(pk=account.pk).update(session_epoch=F("session_epoch") + 1)
    PortalSession.objects.filter(account=account).delete()
    end_live_sessions(account.pk)
