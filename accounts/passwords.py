"""Change passwords, and give temporary ones: the only way back for somebody who has forgotten theirs.

Nobody gets a password by mail. An administrator gives one that is shown once, works for a while, and opens nothing but
the page where it is changed.
"""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from accounts.administration import act_on, write_account
from accounts.errors import PasswordElsewhere
from accounts.models import User
from accounts.temporary import make_temporary, temporary_password
from accounts.tokens import end_tokens
from audit.services import record_event


def give_temporary_password(account: User, *, by: User) -> str:
    """Replace a password that was forgotten, and return the new one, to be shown once and kept nowhere.

    The account's sessions, sockets and running turns end. Raises PermissionMissing and OwnAccount, and
    PasswordElsewhere for people who sign in through an identity provider only.
    """
    password = temporary_password()
    with act_on("account.reset_password", account, by=by) as act:
        if not act.account.has_usable_password():
            raise PasswordElsewhere
        make_temporary(act.account, password)
        write_account(
            act.account,
            password=act.account.password,
            must_change_password=True,
            temporary_until=act.account.temporary_until,
            has_weak_password=False,
        )
        end_tokens(act.account)
    return password


@transaction.atomic
def change_password(account: User, *, new: str) -> None:
    """Set one's own new password; every session, socket and running turn of the account ends.

    The caller has made sure that it is the person. Raises ValidationError, with what the person is told, for a
    password that the policy refuses or that is the old one.
    """
    locked = User.objects.select_for_update(of=("self",)).get(pk=account.pk)
    validate_password(new, locked)
    if locked.check_password(new):
        raise ValidationError(gettext("This is the password that you have now."), code="password_unchanged")
    locked.set_password(new)
    write_account(
        locked,
        password=locked.password,
        must_change_password=False,
        temporary_until=None,
        has_weak_password=False,
    )
    record_event(
        action="account.change_password",
        tenant_id=locked.tenant_id,
        actor=locked.pk,
        object_type="account",
        object_id=str(locked.pk),
    )
