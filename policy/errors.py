"""Say that a rule stopped a text."""

from __future__ import annotations

from common.errors import PortalError, _
from policy.ruleset import PolicyDecision


class PromptBlocked(PortalError):
    """A rule stopped a prompt: nothing was stored and nothing went to the model."""

    code = "blocked"
    http_status = 403
    message = _("This message was not sent to the model.")

    def __init__(self, decision: PolicyDecision) -> None:
        super().__init__()
        self.decision = decision


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
