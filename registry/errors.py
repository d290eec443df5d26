"""Name what can be wrong with a model file."""

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
