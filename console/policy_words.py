"""Put into words what rules look for and do: for the list, the editor and the bench alike."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.artifacts import Mark, Text

KINDS: dict[str, Text] = {
    "keywords": _("keywords"),
    "pattern": _("pattern"),
    "injection": _("injection"),
    "length": _("length"),
}
STAGES: dict[str, Text] = {"input": _("messages"), "output": _("answers")}
ACTIONS: dict[str, Mark] = {
    "block": Mark("danger", _("block")),
    "redact": Mark("warn", _("redact")),
    "consent": Mark("warn", _("ask first")),
    "flag": Mark("info", _("flag")),
    "allow": Mark("mute", _("allow")),
}
OFF = Mark("mute", _("off"))
VALIDATOR_NAMES: dict[str, Text] = {
    "any": _("none"),
    "resident_id": _("resident identity number (GB 11643)"),
    "card_number": _("bank card number (Luhn)"),
    "credit_code": _("unified social credit code (GB 32100)"),
    "iban": _("international bank account number"),
    "social_security_number": _("US social security number"),
    "national_insurance_number": _("UK National Insurance number"),
    "nhs_number": _("UK NHS number (modulus 11)"),
    "ip_address": _("IP address"),
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
    """Return an action in words; "off" is one."""
    return ACTIONS.get(action, OFF)
