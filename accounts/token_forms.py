"""Ask what a token is for, and for how long."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.names import plain_name
from accounts.token_models import ApiScope

USUAL_DAYS = 30


class TokenForm(forms.Form):
    """A token's name, what it may be used for, and its life in days."""

    name = forms.CharField(label=_("Name"), max_length=60)
    days = forms.IntegerField(label=_("Days"), min_value=1, initial=USUAL_DAYS)
    scopes = forms.MultipleChoiceField(
        label=_("May be used to"), choices=ApiScope.choices, initial=ApiScope.values
    )

    def clean_name(self) -> str:
        """Return the name. Raises ValidationError for odd characters."""
        return plain_name(self.cleaned_data["name"])

    def clean_days(self) -> int:
        """Return the days, as many as the installation allows."""
        days, most = int(self.cleaned_data["days"]), settings.PORTAL.token_days
        if days > most:
            raise forms.ValidationError(_("A token lives from 1 to %(days)d days."), params={"days": most})
        return days
