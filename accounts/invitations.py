"""Hand out links with which a new person sets their own password: no mail, no password that two people know.

A link is a keyed digest of the account as it is: its organisation, password field, session epoch and the time until
which it is valid. Nothing of it is stored. Another link, the person's password, a disabled account or a new role make
it worthless; so do its end, and its use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.administration import act_on, write_account
from accounts.backends import may_sign_in
from accounts.errors import InvitationOver, PasswordThere
from accounts.models import User
from accounts.provider_models import Identity
from audit.services import record_event
from common import clock
from tenants.scope import tenant_scope

_SALT = "accounts.invitations"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What stands in the link."""

    account_id: UUID
    token: str


def renew_invitation(account: User, *, by: User) -> Invitation:
    """Hand out a new link for an account that nobody has taken up; the one before is worthless.

    Raises PermissionMissing and OwnAccount, and PasswordThere where the person has a way in already.
    """
    with act_on("account.invite", account, by=by) as act:
        if act.account.has_usable_password() or _has_identity(act.account):
            raise PasswordThere
        prepare_invitation(act.account)
        write_account(act.account, password=act.account.password, invited_until=act.account.invited_until)
    return read_invitation(account.pk)


def prepare_invitation(account: User) -> None:
    """Make an account one that is taken up by a link; the caller saves it."""
    account.password = make_password(None)
    account.invited_until = clock.now() + timedelta(hours=settings.PORTAL.invitation_hours)


def read_invitation(account_id: UUID) -> Invitation:
    """Return the link of an invited account as it is stored now. Raises InvitationOver where there is none."""
    account = User.objects.get(pk=account_id)
    if account.invited_until is None:
        raise InvitationOver
    return Invitation(account_id, _token_of(account))


def find_invited(invitation: Invitation) -> User:
    """Return whom a link is for. Raises InvitationOver for any link that does not hold, whatever the reason."""
    return _checked(User.objects.filter(pk=invitation.account_id).first(), invitation.token)


@transaction.atomic
def accept_invitation(invitation: Invitation, *, password: str) -> User:
    """Set the person's own password; the link has had its use.

    Of two who use it at once, one succeeds. Raises InvitationOver, and ValidationError for a password that the policy
    refuses.
    """
    locked = User.objects.select_for_update(of=("self",)).filter(pk=invitation.account_id).first()
    account = _checked(locked, invitation.token)
    validate_password(password, account)
    account.set_password(password)
    write_account(account, password=account.password, invited_until=None, has_weak_password=False)
    record_event(
        action="account.join",
        tenant_id=account.tenant_id,
        actor=account.pk,
        object_type="account",
        object_id=str(account.pk),
    )
    return account


def _checked(account: User | None, token: str) -> User:
    now = clock.now()
    is_open = account is not None and account.invited_until is not None and account.invited_until > now
    if account is None or not is_open or not may_sign_in(account):
        raise InvitationOver
    if not constant_time_compare(_token_of(account), token):
        raise InvitationOver
    return account


def _token_of(account: User) -> str:
    until = account.invited_until.isoformat() if account.invited_until else ""
    bound = f"{account.tenant_id}:{account.pk}:{account.session_epoch}:{account.password}:{until}"
    return salted_hmac(_SALT, bound, algorithm="sha256").hexdigest()


def _has_identity(account: User) -> bool:
    if account.tenant_id is None:
        return False
    with tenant_scope(account.tenant_id):
        return Identity.objects.filter(account=account).exists()
