"""Register every action that may stand in the audit log, with its label and the tone of its row.

`docs/audit-actions.md` documents each; an action that is missing there fails the test suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.errors import UnknownAction

Tone = Literal["ok", "warn", "danger", "info", "mute"]
BUSY_STATUSES = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Action:
    """Something that people or the portal do; `tone` is that of a row whose status says nothing else."""

    name: str
    label: str | Promise
    tone: Tone = "ok"


ACTIONS = (
    Action("auth.login", _("Signed in")),
    Action("auth.login_failed", _("Sign-in failed"), "danger"),
    Action("auth.lockout", _("Locked out"), "danger"),
    Action("auth.logout", _("Signed out")),
    Action("auth.provider_logout", _("Signed out by the organisation’s sign-in")),
    Action("auth.session_ended", _("Session ended")),
    Action("consent.accept", _("Notice accepted")),
    Action("consent.decline", _("Notice declined"), "mute"),
    Action("consent.withdraw", _("Consent withdrawn"), "mute"),
    Action("consent.sensitive", _("Consent to use sensitive information")),
    Action("notice.publish", _("Notice published"), "info"),
    Action("notice.draft", _("Notice drafted"), "info"),
    Action("notice.submit", _("Notice submitted"), "info"),
    Action("notice.discard", _("Draft of the notice discarded"), "mute"),
    Action("notice.reject", _("Notice rejected"), "warn"),
    Action("notice.approve", _("Notice approved"), "info"),
    Action("chat.request", _("Chat started")),
    Action("chat.complete", _("Chat completed")),
    Action("chat.stop", _("Chat stopped"), "mute"),
    Action("chat.interrupted", _("Chat interrupted"), "danger"),
    Action("chat.failed", _("Chat failed"), "danger"),
    Action("chat.timeout", _("Chat timed out"), "danger"),
    Action("chat.regenerate", _("Answer regenerated")),
    Action("chat.edit", _("Question edited")),
    Action("policy.block_input", _("Input blocked"), "danger"),
    Action("policy.block_output", _("Output blocked"), "danger"),
    Action("policy.redact", _("Text redacted"), "info"),
    Action("policy.flag", _("Text flagged"), "info"),
    Action("policy.draft", _("Rules drafted"), "info"),
    Action("policy.discard", _("Rule draft discarded"), "mute"),
    Action("policy.dry_run", _("Rule draft tried"), "info"),
    Action("policy.submit", _("Rule set submitted"), "info"),
    Action("policy.approve", _("Rule set approved"), "info"),
    Action("policy.reject", _("Rule set rejected"), "warn"),
    Action("policy.publish", _("Rule set published"), "info"),
    Action("policy.rollback", _("Rule set rolled back"), "warn"),
    Action("ratelimit.reject", _("Rate limited"), "warn"),
    Action("queue.reject", _("Queue full"), "warn"),
    Action("queue.timeout", _("Timed out in the queue"), "warn"),
    Action("conv.rename", _("Conversation renamed")),
    Action("conv.delete", _("Conversation deleted")),
    Action("conv.erase_all", _("All conversations erased")),
    Action("conv.purge", _("Expired conversations deleted"), "info"),
    Action("audit.read", _("Audit log read")),
    Action("audit.verify", _("Audit log verified")),
    Action("access.denied", _("Access denied"), "danger"),
    Action("tenant.create", _("Organisation created"), "info"),
    Action("tenant.weight", _("Share of the engine set"), "info"),
    Action("tenant.edit", _("Organisation changed"), "info"),
    Action("tenant.suspend", _("Organisation suspended"), "warn"),
    Action("tenant.resume", _("Organisation let in again"), "info"),
    Action("tenant.delete", _("Deletion of the organisation asked for"), "warn"),
    Action("tenant.keep", _("Deletion of the organisation taken back"), "info"),
    Action("tenant.erase", _("Organisation deleted"), "danger"),
    Action("tenant.separate", _("Three administrators separated"), "info"),
    Action("tenant.unite", _("Separation of administrators lifted"), "warn"),
    Action("parameter.set", _("Parameter set"), "info"),
    Action("parameter.propose", _("Change of a parameter proposed"), "info"),
    Action("parameter.approve", _("Change of a parameter approved"), "info"),
    Action("parameter.reject", _("Change of a parameter rejected"), "warn"),
    Action("parameter.withdraw", _("Proposed change withdrawn"), "mute"),
    Action("account.create", _("Account created"), "info"),
    Action("account.make_member", _("Made a member"), "info"),
    Action("account.make_admin", _("Made an administrator"), "info"),
    Action("account.make_officer", _("Made a security officer"), "info"),
    Action("account.make_auditor", _("Made an auditor"), "info"),
    Action("account.add_factor", _("Second factor added"), "info"),
    Action("account.remove_factor", _("Second factor removed"), "warn"),
    Action("account.recovery_codes", _("Recovery codes made"), "info"),
    Action("account.use_recovery_code", _("Recovery code used"), "warn"),
    Action("account.reset_factors", _("Second factors reset"), "warn"),
    Action("account.unlock", _("Sign-in unlocked"), "info"),
    Action("account.reset_password", _("Temporary password given"), "warn"),
    Action("account.change_password", _("Password changed"), "info"),
    Action("account.disable", _("Account disabled"), "warn"),
    Action("account.enable", _("Account enabled"), "info"),
    Action("account.invite", _("Invited to take up an account"), "info"),
    Action("account.join", _("Invitation taken up"), "info"),
    Action("token.create", _("API token made"), "info"),
    Action("token.revoke", _("API token revoked"), "warn"),
    Action("token.refused", _("API token refused"), "danger"),
    Action("account.import", _("Import of accounts begun"), "info"),
    Action("account.import_list", _("List of first passwords taken"), "warn"),
    Action("account.export", _("List of accounts exported"), "info"),
    Action("account.end_sessions", _("Signed out everywhere"), "warn"),
    Action("account.edit", _("Account's name or department changed"), "info"),
    Action("identity.add", _("Way of signing in added"), "info"),
    Action("identity.change", _("Way of signing in changed"), "info"),
    Action("identity.enable", _("Way of signing in switched on"), "info"),
    Action("identity.disable", _("Way of signing in switched off"), "warn"),
    Action("identity.delete", _("Way of signing in deleted"), "warn"),
    Action("identity.test", _("Way of signing in tested"), "info"),
    Action("identity.link", _("Identity linked"), "info"),
    Action("identity.unlink", _("Identity unlinked"), "warn"),
    Action("identity.arrive", _("Account made at the first sign-in"), "info"),
    Action("identity.role", _("Role changed by groups"), "info"),
    Action("identity.no_group", _("In no group that may sign in"), "warn"),
    Action("identity.collide", _("User name is another account's"), "danger"),
    Action("identity.leave", _("Gone from the directory"), "warn"),
    Action("model.import", _("Model imported"), "info"),
    Action("model.evaluate", _("Model evaluated"), "info"),
    Action("model.submit", _("Model submitted"), "info"),
    Action("model.approve", _("Model approved"), "info"),
    Action("model.reject", _("Model rejected"), "warn"),
    Action("model.waive", _("Model approval waived"), "warn"),
    Action("model.activate", _("Model activated"), "info"),
    Action("model.rollback", _("Model rolled back"), "warn"),
    Action("model.retire", _("Model retired"), "info"),
    Action("model.choose", _("Model chosen"), "info"),
    Action("model.mismatch", _("Model no longer holds"), "danger"),
    Action("model.stand_in", _("Model stands in for another"), "warn"),
    Action("report.make", _("Evidence report made"), "info"),
    Action("portal.start", _("Portal started"), "info"),
    Action("portal.stop", _("Portal stopped"), "info"),
)
_BY_NAME = {action.name: action for action in ACTIONS}


def registered(name: str) -> Action:
    """Return the action of this name. Raises UnknownAction: what nobody registered is never recorded."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownAction("this action is not registered in audit.actions") from None


def label_of(name: str) -> str | Promise:
    """Return what people read for an action; one that is no longer registered reads as its name."""
    action = _BY_NAME.get(name)
    return action.label if action else name


def tone_of(name: str, status: int) -> Tone:
    """Return the tone of a row: a busy portal warns, an error alarms, whatever the action."""
    if status in BUSY_STATUSES:
        return "warn"
    action = _BY_NAME.get(name)
    tone = action.tone if action else "ok"
    return "danger" if status >= 400 and tone == "ok" else tone
