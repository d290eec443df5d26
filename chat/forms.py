"""Read the chat pages' forms."""

from __future__ import annotations

from django import forms

TITLE_MAX_CHARS = 120


class RenameForm(forms.Form):
    """A conversation's new title."""

    title = forms.CharField(max_length=TITLE_MAX_CHARS)

    def clean_title(self) -> str:
        """Return the title in one line."""
        return " ".join(str(self.cleaned_data["title"]).split())


class ClearForm(forms.Form):
    """The word that a person types to erase everything."""

    confirm = forms.CharField(max_length=40)
