"""Change accounts, and tell whether a session is still good."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, Subquery
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext

from accounts.backends import may_sign_in
from accounts.duties import duty_of
from accounts.errors import SessionEnded
from accounts.models import User, make_handle
from accounts.organisation_errors import AccountsFull
from accounts.quotas import require_room
from accounts.session_models import PortalSession
from accounts.temporary import make_temporary
from audit.services import record_event
from common import clock
from tenants.models import Tenant


@transaction.atomic
def create_account(
    *,
    tenant: Tenant | None,
    login: str,
    display_name: str,
    role: str,
    password: str,
    is_temporary: bool = False,
) -> User:
    """Create an account and record it; a temporary password must be changed before anything else.

    Raises ValidationError for a malformed or taken login, or a password that the validators refuse, and where
    the organisation's quota of accounts is used up.
    """
    account = User(tenant=tenant, login_name=login.casefold(), display_name=display_name, role=role)
    validate_password(password, account)
    if is_temporary:
        make_temporary(account, password)
    else:
        account.set_password(password)
    account.full_clean(exclude=["handle"])
    try:
        require_room(tenant)
    except AccountsFull as error:
        raise ValidationError(gettext(error.message), code=error.code) from None
    handle = make_handle(organisation=tenant.code if tenant else "", login=login)
    if User.objects.filter(handle=handle).exists():
        raise ValidationError(gettext("There is an account with this name already."))
    account.save(force_insert=True)
    record_event(
        action="account.create",
        tenant_id=tenant.id if tenant else None,
        actor=None,
        object_type="account",
        object_id=str(account.id),
    )
    return account


def read_live_account(*, account_id: UUID, session_digest: str, auth_hash: str) -> User:
    """Return the account if its session (by its digest in the table) still stands, in one query.

    `auth_hash` is what the session was opened with: a changed password ends it. Raises SessionEnded, also for somebody
    who has to do something else first (accounts.duties).
    """
    session = PortalSession.objects.filter(
        digest=session_digest, account=account_id, expires_at__gt=clock.now()
    )
    alive = User.objects.filter(Exists(session), pk=account_id, is_active=True)
    account = alive.annotate(by_provider=Subquery(session.values("by_provider")[:1])).first()
    if account is None or not may_sign_in(account) or duty_of(account, by_provider=account.by_provider):
        raise SessionEnded
    if not constant_time_compare(account.get_session_auth_hash(), auth_hash):
        raise SessionEnded
    return account
