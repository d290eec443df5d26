"""Read the forms of the model pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.history import MAX_REASON_CHARS
from registry.lifecycle import Activation


class ReasonForm(forms.Form):
    """A reason that may be needed; the registry knows when."""

    reason = forms.CharField(max_length=MAX_REASON_CHARS, required=False)


class ConfirmForm(forms.Form):
    """A reason and the word that stands for “I mean it”."""

    reason = forms.CharField(
        max_length=MAX_REASON_CHARS, error_messages={"required": _("Please give a reason in writing.")}
    )
    confirm = forms.CharField(
        max_length=40, error_messages={"required": _("Type the word exactly as it is shown.")}
    )

    def __init__(self, *args: Any, word: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.word = word

    def clean_confirm(self) -> str:
        """Return the word. Raises ValidationError for another."""
        typed = str(self.cleaned_data["confirm"]).strip()
        if typed.casefold() != self.word.casefold():
            raise forms.ValidationError(gettext("Type the word exactly as it is shown."))
        return typed


class RollbackForm(ConfirmForm):
    """The same, and the artefact that the page named as the one to go back to."""

    target = forms.UUIDField(widget=forms.HiddenInput)


class ActivationForm(forms.Form):
    """Whether an artefact takes the place of those in use or runs beside them."""

    activation = forms.ChoiceField(choices=[(way.value, way.value) for way in Activation], required=False)

    def clean_activation(self) -> Activation:
        """Return the way; without one it is the first of them."""
        return Activation(self.cleaned_data["activation"] or Activation.REPLACE.value)


class ChoiceForm(forms.Form):
    """The artefact that an organisation uses; none means the installation's."""

    artifact = forms.UUIDField(required=False)
