"""Put into words what rules look for and do: for the list, the editor and the bench alike."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.artifacts import Mark, Text
from policy.ruleset import Stage

KINDS: dict[str, Text] = {"keywords": _("keywords"), "pattern": _("pattern")}
STAGES: dict[Stage, Text] = {"input": _("messages"), "output": _("answers")}
ACTIONS: dict[str, Mark] = {
    "block": Mark("danger", _("block")),
    "redact": Mark("warn", _("redact")),
    "consent": Mark("warn", _("ask first")),
    "flag": Mark("info", _("flag")),
    "allow": Mark("mute", _("allow")),
}
VERDICTS: dict[tuple[str, str], Mark] = {
    ("input", "block"): Mark("danger", _("Would be blocked")),
    ("input", "redact"): Mark("warn", _("Would go on, masked")),
    ("input", "consent"): Mark("warn", _("Would go on if the person consents")),
    ("input", "flag"): Mark("info", _("Would go on, and be counted")),
    ("input", "allow"): Mark("ok", _("Would go on")),
    ("output", "block"): Mark("danger", _("Would be withdrawn")),
    ("output", "redact"): Mark("warn", _("Would be shown, masked")),
    ("output", "flag"): Mark("info", _("Would be shown, and be counted")),
    ("output", "allow"): Mark("ok", _("Would be shown")),
}


def mark_of(action: str) -> Mark:
    """Return an action in words."""
    return ACTIONS[action]
