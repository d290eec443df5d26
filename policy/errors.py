"""Say that a rule stopped a text."""

from __future__ import annotations

from common.errors import PortalError, _
from policy.ruleset import PolicyDecision


class PromptStopped(PortalError):
    """The rules did not let a prompt pass: nothing was stored and nothing went to the model."""

    http_status = 403

    def __init__(self, decision: PolicyDecision, *, policy_version: str) -> None:
        super().__init__()
        self.decision = decision
        self.policy_version = policy_version


class PromptBlocked(PromptStopped):
    """A rule forbids the prompt."""

    code = "blocked"
    message = _("This message was not sent to the model.")


class OutputBlocked(PortalError):
    """A rule stopped an answer: all of it is withdrawn."""

    code = "blocked"
    http_status = 403
    message = _("This answer was withdrawn by a rule of your organisation.")

    def __init__(self, decision: PolicyDecision) -> None:
        super().__init__()
        self.decision = decision


class PromptTooLong(PortalError):
    """A prompt is longer than the portal takes."""

    code = "too_long"
    http_status = 413
    message = _("This message is too long. Please shorten it.")


class PolicyUnavailable(PortalError):
    """The rules could not be read or applied in time: nothing passes unchecked."""

    code = "policy_unavailable"
    http_status = 503
    message = _(
        "The rules of your organisation cannot be applied now, so nothing was sent. Please try again."
    )


class ConsentInPlace(PromptStopped):
    """The prompt holds what needs the person's separate consent before it goes on (PIPL art. 29).

    The decision's matches are those that nobody has agreed to yet.
    """

    code = "consent_in_place"
    message = _(
        "This message holds sensitive personal information. It goes on only if you agree to this use."
    )

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the codes of the rules that ask."""
        return tuple(dict.fromkeys(match.rule.code for match in self.decision.matches))

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Return the places that the person is asked about."""
        return tuple((match.start, match.end) for match in self.decision.matches)


class PolicyActRefused(PortalError):
    """The life of a rule set forbids this act; recorded in the audit log as refused."""

    code = "policy_act_refused"
    http_status = 409
    message = _("This cannot be done with this rule set.")

    def __str__(self) -> str:
        return self.message


class WrongStage(PolicyActRefused):
    """The version's stage does not allow this now."""

    code = "policy_wrong_stage"
    message = _("This is not possible at this stage of the rule set.")


class OfficerNeeded(PolicyActRefused):
    """Somebody who wrote on the version, or submitted it, tried to decide on it while there is another officer."""

    code = "policy_second_person_needed"
    http_status = 403
    message = _("Whoever wrote these rules cannot approve them; a second security officer has to.")


class PolicyReasonNeeded(PolicyActRefused):
    """An act that must be explained was not."""

    code = "policy_reason_needed"
    http_status = 400
    message = _("Please give a reason in writing.")


class DryRunNeeded(PolicyActRefused):
    """The draft was not tried since it was last changed."""

    code = "policy_dry_run_needed"
    message = _("Try the draft first: nothing was tested since the last change.")


class DraftOutdated(PolicyActRefused):
    """Another version was published since this one was submitted."""

    code = "policy_draft_outdated"
    message = _("Other rules were published meanwhile. Take the draft back, look at it again, and submit it.")


class SubmittedAnew(PolicyActRefused):
    """The version was submitted again since it was looked at: nobody decides on what they did not see."""

    code = "policy_submitted_anew"
    message = _("These rules were submitted anew since you looked at them. Please look at them again.")


class NothingChanged(PolicyActRefused):
    """The version says what is in force already."""

    code = "policy_nothing_changed"
    message = _("These rules are in force already.")


class RuleRefused(PolicyActRefused):
    """A rule cannot be taken; `detail` says why, names the rule and is safe to show to whoever wrote it."""

    code = "policy_rule_refused"
    http_status = 400
    message = _("This rule cannot be used.")

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


class RuleChanged(PolicyActRefused):
    """Somebody else wrote on the rule since it was looked at; nothing was overwritten."""

    code = "policy_rule_changed"
    message = _("Somebody else changed this rule meanwhile.")


class VersionFixed(RuntimeError):
    """The program tried to change what never changes: a mistake in the program."""
