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


class NotInAnyGroup(PortalError):
    """The person proved who they are, and is in no group that may use the portal."""

    code = "not_in_any_group"
    http_status = 403
    message = _(
        "You have signed in, but you are in no group that may use this portal. Ask your administrator."
    )

    def __str__(self) -> str:
        return self.message


class RolesExcludeEachOther(NotInAnyGroup):
    """The person's groups give two roles that nobody may hold together."""

    code = "roles_exclude_each_other"
    message = _("Your groups give you two roles that exclude each other. Ask your administrator.")


class IdentityCollision(PortalError):
    """The name is an account's that is not known to be this person's; only linking makes them one."""

    code = "identity_collision"
    http_status = 409
    message = _(
        "An account with your user name exists already and is not linked to this way of signing in."
        " Ask your administrator to link it."
    )

    def __str__(self) -> str:
        return self.message


class IdentityUnusable(PortalError):
    """The provider gave no id or no user name that the portal can keep."""

    code = "identity_unusable"
    http_status = 403
    message = _("The way you signed in gives no user name that this portal can use. Ask your administrator.")

    def __str__(self) -> str:
        return self.message


class IdentityTaken(ChangeRefused):
    """The identity is another account's, or the account has another identity at this provider."""

    code = "identity_taken"
    message = _("This identity, or this account, is linked already. Unlink it first.")


class LinkRefused(ChangeRefused):
    """An administrator would gain another guardian's account by linking it."""

    code = "link_refused"
    http_status = 403
    message = _(
        "Security officers and auditors link their accounts themselves, and so does everybody their own."
    )


class ProviderReadOnly(ChangeRefused):
    """The provider is kept in the installation's settings."""

    code = "provider_read_only"
    message = _("This way of signing in is kept in the installation's settings and is changed there.")


class OwnProposal(ChangeRefused):
    """Who proposes a change cannot be the second person."""

    code = "own_proposal"
    http_status = 403
    message = _("Nobody can approve or reject what they proposed themselves; another person has to.")


class ProposalClosed(ChangeRefused):
    """Somebody has decided already."""

    code = "proposal_closed"
    message = _("Somebody has decided about this already.")


class ChangeOvertaken(ChangeRefused):
    """The value that a change was made on is there no longer, or another change waits already."""

    code = "change_overtaken"
    message = _("Somebody else has changed this meanwhile. Please look at it again.")


class ReasonMissing(ChangeRefused):
    """A reason in writing is needed."""

    code = "reason_missing"
    http_status = 400
    message = _("Please give a reason in writing.")


class ValueImpossible(ChangeRefused):
    """Values are out of their bounds; `faults` says for each code what would be right."""

    code = "value_impossible"
    http_status = 400
    message = _("Not every value is possible.")

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__()
        self.faults = faults


class PasswordElsewhere(ChangeRefused):
    """The account has no password here."""

    code = "password_elsewhere"
    message = _("This person signs in through the organisation's own directory and has no password here.")


class PasswordThere(ChangeRefused):
    """The account can be signed in to already: an invitation would be a second way in."""

    code = "password_there"
    message = _("This person has a way to sign in already; an invitation is for those who have none.")


class AdminThere(ChangeRefused):
    """Operators appoint an organisation's first administrator, and no other."""

    code = "admin_there"
    message = _("The organisation has an administrator, who manages its people.")


class TokensForbidden(ChangeRefused):
    """The organisation does not let its people use tokens."""

    code = "tokens_forbidden"
    http_status = 403
    message = _("Your organisation does not allow API tokens.")


class TooManyTokens(ChangeRefused):
    """The person has as many valid tokens as anybody may have."""

    code = "too_many_tokens"
    message = _("You have as many tokens as you may have. Revoke one first.")


class TokenRefused(PortalError):
    """No token, or none that holds; every reason looks the same."""

    code = "invalid_token"
    http_status = 401
    message = _("A valid API token is needed in the Authorization header.")


class ScopeMissing(PortalError):
    """The token is good, for something else."""

    code = "insufficient_scope"
    http_status = 403
    message = _("This token may not be used for this.")


class TooManyCalls(PortalError):
    """Too many requests in a minute."""

    code = "rate_limited"
    http_status = 429
    message = _("Too many requests. Please try again in a minute.")


class ImportRunning(ChangeRefused):
    """One import at a time."""

    code = "import_running"
    message = _("An import is running. Stop it first, or wait for its end.")


class InvitationOver(PortalError):
    """The link was used, is over, was replaced, or never was one: all look the same."""

    code = "invitation_over"
    http_status = 410
    message = _("This invitation does not hold, or no longer. Ask whoever gave it to you for another one.")


class ProviderAway(PortalError):
    """The organisation's way of signing in cannot be reached, or is not set up rightly."""

    code = "provider_away"
    http_status = 503
    message = _(
        "Your organisation's sign-in page cannot be reached just now. Try again later, or ask your administrator."
    )

    def __str__(self) -> str:
        return self.message


class TooManyRequests(PortalError):
    """An address calls faster than people and providers do."""

    code = "too_many_requests"
    http_status = 429
    message = _("There were too many requests from your network. Please wait a moment.")


class DirectoryDown(SignInRefused):
    """No password was right, and the organisation's directory could not be asked."""

    code = "directory_down"
    http_status = 503
    message = _(
        "Organisation, user name or password is not right, or your organisation's directory does not answer at this"
        " moment. Please try again shortly."
    )
