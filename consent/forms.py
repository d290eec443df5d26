"""Read a person's decision."""

from __future__ import annotations

from django import forms


class DecisionForm(forms.Form):
    """Agree or decline; `version` is what the page showed, so that nobody agrees to a text that they did not see."""

    decision = forms.ChoiceField(choices=[("agree", "agree"), ("decline", "decline")])
    version = forms.IntegerField(required=False)
