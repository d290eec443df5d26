"""Name what the pool refuses or fails with. Each carries `retry_after_ms` where waiting helps."""

from __future__ import annotations

from common.errors import PortalError


def _(message: str) -> str:
    """Mark a message for translation at the edge."""
    return message


class InferenceError(PortalError):
    """Gather everything that the pool raises on purpose."""


class RateLimited(InferenceError):
    """Refuse: this person has started as many turns as a minute allows."""

    code = "rate_limited"
    http_status = 429
    message = _("You have sent many messages in a short time. Please wait a moment.")


class Busy(InferenceError):
    """Refuse: this person already has a turn that runs or waits."""

    code = "busy"
    http_status = 409
    message = _("Your previous message is still being answered.")


class TenantBusy(InferenceError):
    """Refuse: the person's tenant has as many turns that run or wait as it is granted."""

    code = "tenant_busy"
    http_status = 429
    message = _(
        "Your organisation has as many answers being written as it may have. Please try again shortly."
    )


class QueueFull(InferenceError):
    """Refuse: nobody else may wait now."""

    code = "queue_full"
    http_status = 503
    message = _("Too many people are waiting. Please try again shortly.")


class QueueTimeout(InferenceError):
    """Give up: the turn waited for its place longer than allowed."""

    code = "queue_timeout"
    http_status = 503
    message = _("The wait for an answer took too long. Please try again.")


class PromptTooLong(InferenceError):
    """Refuse: the message does not fit, even without the history before it."""

    code = "too_long"
    http_status = 413
    message = _("This message is too long for the model.")


class RequestUnsupported(InferenceError):
    """Refuse: the engine in use cannot do what is asked for."""

    code = "unsupported"
    http_status = 422
    message = _("The model in use cannot answer in the form that was asked for.")


class EngineUnavailable(InferenceError):
    """Refuse: there is no engine, or it cannot be started."""

    code = "engine_unavailable"
    http_status = 503
    message = _("The model is not available at the moment.")


class EngineFailed(InferenceError):
    """Report that the engine broke in the middle of an answer. It restarts by itself."""

    code = "engine_failed"
    http_status = 502
    message = _("The model stopped unexpectedly. Please send your message again.")
