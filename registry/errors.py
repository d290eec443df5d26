"""Name what can be wrong with a model file, and with what somebody wants to do with it."""

from __future__ import annotations

from common.errors import PortalError, _


class ModelError(PortalError):
    """A model cannot be imported or used; `detail` says why and is safe to show to an operator."""

    code = "model_unusable"
    http_status = 503
    message = _("The language model is not available.")

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


class ActRefused(PortalError):
    """The registry's rules forbid this act; recorded in the audit log as refused."""

    code = "model_act_refused"
    http_status = 409
    message = _("This cannot be done with this model.")

    def __str__(self) -> str:
        return self.message


class WrongStatus(ActRefused):
    """The artefact's life does not allow this now; the text says what comes next, where the `status` is given."""

    code = "model_wrong_status"
    message = _("This is not possible at this stage of the model's life.")

    def __init__(self, status: str = "") -> None:
        super().__init__()
        self.message = NEXT_STEPS.get(status, self.message)


NEXT_STEPS = {
    "imported": _(
        "This is not possible yet: the model has been imported only. The next step is its evaluation."
    ),
    "evaluated": _(
        "This is not possible yet: the model has been evaluated. The next step is to submit it for approval."
    ),
    "submitted": _("This is not possible now: the model waits for a second person to approve or reject it."),
    "approved": _("This is not possible now: the model is approved. The next step is to activate it."),
    "active": _("This is not possible now: the model is in use. It can be rolled back or retired."),
    "rejected": _(
        "This is not possible: the model was rejected. To submit it again, evaluate it again first."
    ),
    "waived": _("Nobody has submitted this model: its approval was waived. Evaluate it and submit it first."),
    "retired": _("This is not possible: the model is retired for good. Import another file."),
}


class SecondPersonNeeded(ActRefused):
    """The submitter tried to approve."""

    code = "second_person_needed"
    http_status = 403
    message = _("Whoever submitted a model cannot decide on it; a second person has to.")


class ReasonNeeded(ActRefused):
    """An act that must be explained was not."""

    code = "reason_needed"
    http_status = 400
    message = _("Please give a reason in writing.")


class SignatureNeeded(ActRefused):
    """Production wants a valid signature or a digest of the portal's own catalogue."""

    code = "signature_needed"
    message = _("This model has neither a valid signature nor a digest that the portal knows.")


class WaiverRefused(ActRefused):
    """Only the embedded default may do without a second person."""

    code = "waiver_refused"
    http_status = 403
    message = _("Approval can be waived on the embedded default only.")


class PersonNeeded(ActRefused):
    """In production every act has a person."""

    code = "person_needed"
    http_status = 403
    message = _("This needs a person who signs for it.")


class AlreadyDecided(ActRefused):
    """The same side has decided before."""

    code = "already_decided"
    message = _("This has been decided already.")


class NotApprovedHere(ActRefused):
    """The organisation chose a model that does not run, or that is not approved for it."""

    code = "not_approved_here"
    message = _("This model is not approved for your organisation, or not in use.")


class NothingBefore(ActRefused):
    """There is no earlier artefact to roll back to."""

    code = "nothing_before"
    message = _("There is no earlier model to go back to.")


class ArtifactFixed(RuntimeError):
    """The program tried to change what never changes: a mistake in the program."""


class EvaluationRuns(ActRefused):
    """Another evaluation runs: one at a time in an installation."""

    code = "evaluation_runs"
    message = _("An evaluation is running; only one can run at a time.")
