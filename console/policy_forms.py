"""Read the forms of the policy pages."""

from __future__ import annotations

from django import forms

from policy.ruleset import STAGES


class FindForm(forms.Form):
    """Which rules the list shows, and which of them is open."""

    q = forms.CharField(max_length=64, required=False)
    kind = forms.CharField(max_length=16, required=False)


class BenchForm(forms.Form):
    """A text to try, to the letter: nothing is stripped from it.

    `part` asks for the verdict alone, which a script puts into the page; `rule` is the one that stays open.
    """

    text = forms.CharField(strip=False, required=False)
    stage = forms.ChoiceField(choices=[(stage, stage) for stage in STAGES])
    source = forms.ChoiceField(choices=[("draft", "draft"), ("force", "force")], required=False)
    rule = forms.CharField(max_length=32, required=False)
    part = forms.BooleanField(required=False)

    def clean_text(self) -> str:
        """Return the text as the chat would send it: browsers end the lines of a form with two characters."""
        return str(self.cleaned_data["text"]).replace("\r\n", "\n")


class WordsForm(forms.Form):
    """What is done with a long list of words: looked up, added to, or taken from."""

    act = forms.ChoiceField(choices=[(act, act) for act in ("find", "add", "remove")])
    wanted = forms.CharField(max_length=64, required=False)
    page = forms.IntegerField(min_value=1, required=False)
    add = forms.CharField(max_length=200_000, required=False)
