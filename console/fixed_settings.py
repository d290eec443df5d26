"""Show what is set for the whole installation when it starts, and where each value comes from."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from common.config import environment_of

# Only what people at this page can make sense of, and nothing that is a secret or a place on the server's disk.
SHOWN = {
    "PORTAL_SLOTS": "slots",
    "PORTAL_CONTEXT_TOKENS": "context_tokens",
    "PORTAL_MAX_PROMPT_CHARS": "max_prompt_chars",
    "PORTAL_MAX_NEW_TOKENS": "max_new_tokens",
    "PORTAL_QUEUE_LENGTH": "queue_length",
    "PORTAL_QUEUE_TIMEOUT_S": "queue_timeout_s",
    "PORTAL_WALL_TIME_S": "wall_time_s",
    "PORTAL_RECYCLE_HOUR": "recycle_hour",
    "PORTAL_LOGIN_ATTEMPTS": "login_attempts",
    "PORTAL_LOCKOUT_MINUTES": "lockout_minutes",
    "PORTAL_SANDBOX": "sandbox",
}


@dataclass(frozen=True, slots=True)
class FixedSetting:
    """One setting of the installation; `origin` is where its value was found."""

    name: str
    label: str
    value: str
    origin: str


def fixed_settings() -> list[FixedSetting]:
    """Return the settings that a restart changes, and nobody here."""
    origins = {"environment": _("environment"), "file": _("settings file"), "default": _("default")}
    labels, source = _labels(), environment_of(settings.BASE_DIR)
    return [
        FixedSetting(name, labels[name], str(getattr(settings.PORTAL, field)), origins[source.origin(name)])
        for name, field in SHOWN.items()
    ]


def _labels() -> dict[str, str]:
    return {
        "PORTAL_SLOTS": _("Answers written at the same time, of everybody"),
        "PORTAL_CONTEXT_TOKENS": _("Tokens of one conversation"),
        "PORTAL_MAX_PROMPT_CHARS": _("Longest question, in characters"),
        "PORTAL_MAX_NEW_TOKENS": _("Longest answer, in tokens"),
        "PORTAL_QUEUE_LENGTH": _("Places in the queue"),
        "PORTAL_QUEUE_TIMEOUT_S": _("Longest wait in the queue, in seconds"),
        "PORTAL_WALL_TIME_S": _("Longest time for one answer, in seconds"),
        "PORTAL_RECYCLE_HOUR": _("Hour at which workers are replaced"),
        "PORTAL_LOGIN_ATTEMPTS": _("Failed sign-ins that lock an account"),
        "PORTAL_LOCKOUT_MINUTES": _("Minutes that a lockout lasts"),
        "PORTAL_SANDBOX": _("Sandbox of the engine"),
    }
