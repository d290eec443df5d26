"""Ask for a new password, and for the old one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.password_policy import LONGEST


class PasswordForm(forms.Form):
    """The old password, left out where it is a temporary one that has just been used, and the new one twice."""

    current = forms.CharField(label=_("Current password"), max_length=LONGEST, strip=False)
    new = forms.CharField(label=_("New password"), max_length=LONGEST, strip=False)
    again = forms.CharField(label=_("New password, once more"), max_length=LONGEST, strip=False)

    def __init__(self, *args: Any, asks_current: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_current:
            del self.fields["current"]

    def clean(self) -> dict[str, Any]:
        """Refuse two new passwords that differ."""
        fields = super().clean() or {}
        if "new" in fields and "again" in fields and fields["new"] != fields["again"]:
            self.add_error("again", gettext("The two passwords are not the same."))
        return fields
