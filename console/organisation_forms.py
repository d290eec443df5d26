"""Read the forms of the organisations' pages."""

from __future__ import annotations

import re

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import LOGIN_PATTERN
from accounts.names import plain_name
from tenants.models import CODE_PATTERN, GREATEST_WEIGHT, LEAST_WEIGHT, Tenant

_WEIGHT = re.compile(r"[0-9]{1,3}([.][0-9]{1,2})?", re.ASCII)


class FindForm(forms.Form):
    """What the list shows, and after which code it goes on."""

    q = forms.CharField(max_length=120, required=False)
    state = forms.ChoiceField(
        choices=[("", _("All states")), ("active", _("active")), ("suspended", _("suspended")),
                 ("deleting", _("to be deleted")), ("deleted", _("deleted"))],
        required=False,
    )  # fmt: skip
    after = forms.CharField(max_length=32, required=False)


class OpeningForm(forms.Form):
    """A new organisation with its first administrator."""

    code = forms.CharField(
        label=_("Code"),
        max_length=32,
        validators=[
            RegexValidator(CODE_PATTERN, _("Small letters, digits, and hyphens between them, please."))
        ],
    )
    name = forms.CharField(label=_("Name"), max_length=120)
    login = forms.CharField(
        label=_("User name of the first administrator"),
        max_length=64,
        validators=[RegexValidator(LOGIN_PATTERN, _("Small letters, digits and . _ @ + - please."))],
    )
    display_name = forms.CharField(label=_("Name of the first administrator"), max_length=80)

    def clean_code(self) -> str:
        """Return a code that nobody has, deleted organisations included."""
        code = str(self.cleaned_data["code"])
        if Tenant.objects.filter(code=code).exists():
            raise ValidationError(gettext("There is an organisation with this code already."))
        return code

    def clean_name(self) -> str:
        """Return a name without odd characters."""
        return plain_name(self.cleaned_data["name"])

    def clean_display_name(self) -> str:
        """Return a name without odd characters."""
        return plain_name(self.cleaned_data["display_name"])


class SettingsForm(forms.Form):
    """Name, share of the engine, and whether three administrators are three people."""

    name = forms.CharField(label=_("Name"), max_length=120)
    engine_weight = forms.CharField(label=_("Share of the engine"), max_length=8)
    separation = forms.BooleanField(label=_("Three administrators are three people"), required=False)

    def clean_name(self) -> str:
        """Return a name without odd characters."""
        return plain_name(self.cleaned_data["name"])

    def clean_engine_weight(self) -> float:
        """Return the weight. Raises ValidationError for what is no plain number within the bounds."""
        text = str(self.cleaned_data["engine_weight"])
        if not _WEIGHT.fullmatch(text) or not LEAST_WEIGHT <= float(text) <= GREATEST_WEIGHT:
            raise ValidationError(
                gettext("A number from %(low)g to %(high)g, please.")
                % {"low": LEAST_WEIGHT, "high": GREATEST_WEIGHT}
            )
        return float(text)


class NameForm(forms.Form):
    """The typed name of what is to be deleted."""

    confirm = forms.CharField(max_length=120, required=False)
