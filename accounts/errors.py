"""Name what can go wrong with an account."""

from __future__ import annotations

from common.errors import PortalError, _


class SessionEnded(PortalError):
    """The session is over: signed out, expired, disabled, or the password changed."""

    code = "session_ended"
    http_status = 401
    message = _("You have been signed out. Please sign in again.")


class SignInRefused(PortalError):
    """Name or password is wrong, or the account is locked or disabled: all look the same."""

    code = "sign_in_refused"
    http_status = 401
    message = _("Organisation, user name or password is not right.")

    def __str__(self) -> str:
        return self.message


class ChangeRefused(PortalError):
    """The rules for accounts and roles forbid this; recorded in the audit log as refused."""

    code = "change_refused"
    http_status = 409
    message = _("This cannot be done with this account.")

    def __str__(self) -> str:
        return self.message


class OwnAccount(ChangeRefused):
    """People cannot change their own role, nor shut themselves out or in."""

    code = "own_account"
    http_status = 403
    message = _("Nobody can change their own account's role or state; another person has to.")


class RoleImpossible(ChangeRefused):
    """The role does not exist, or operators are concerned, who are never anything else."""

    code = "role_impossible"
    message = _("This account cannot have this role.")


class LastOfRole(ChangeRefused):
    """Somebody must remain who holds the role."""

    code = "last_of_role"
    message = _("This is the last account with this role. Give the role to another person first.")


class RolesMissing(ChangeRefused):
    """The three roles are not with three people."""

    code = "roles_missing"
    message = _("Administrator, security officer and auditor must be three different people first.")
