"""Read the forms of the users' pages."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.administration import ROLE_ACTIONS
from accounts.listing import State, Wanted
from accounts.names import plain_name
from accounts.roles import Role

SEARCH_CHARS = 80


class ListForm(forms.Form):
    """What the list is narrowed to, and which account the page begins beyond; what is malformed counts as not asked."""

    q = forms.CharField(max_length=SEARCH_CHARS, required=False)
    role = forms.ChoiceField(choices=[("", _("All roles")), *Role.choices], required=False)
    state = forms.ChoiceField(choices=[("", _("All states")), *State.choices], required=False)
    after = forms.UUIDField(required=False)
    before = forms.UUIDField(required=False)

    def wanted(self) -> Wanted:
        """Return what is looked for."""
        self.is_valid()
        typed = self.cleaned_data
        return Wanted(text=typed.get("q", ""), role=typed.get("role", ""), state=typed.get("state", ""))


class RoleForm(forms.Form):
    """A role of an organisation's people."""

    role = forms.ChoiceField(choices=[(role, Role(role).label) for role in ROLE_ACTIONS])


class DetailsForm(forms.Form):
    """What a person is shown by."""

    display_name = forms.CharField(label=_("Name"), max_length=80)
    department = forms.CharField(label=_("Department"), max_length=80, required=False)

    def clean_display_name(self) -> str:
        """Return the name. Raises ValidationError for odd characters."""
        return plain_name(self.cleaned_data["display_name"])

    def clean_department(self) -> str:
        """Return the department. Raises ValidationError for odd characters."""
        return plain_name(self.cleaned_data["department"])
