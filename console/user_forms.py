"""Read the forms of the users' pages."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.administration import ROLE_ACTIONS
from accounts.errors import RoleImpossible
from accounts.listing import State, Wanted
from accounts.names import plain_name
from accounts.onboarding import Newcomer, Way, check_newcomer
from accounts.provider_models import MAX_SUBJECT_CHARS
from accounts.roles import Role
from accounts.roster import MAX_BYTES
from tenants.models import Tenant

SEARCH_CHARS = 80
WAYS = [
    (Way.INVITATION.value, _("Invitation link")),
    (Way.PASSWORD.value, _("Temporary password")),
]


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


class LinkForm(forms.Form):
    """An identity that the account shall be opened by."""

    provider = forms.UUIDField()
    subject = forms.CharField(max_length=MAX_SUBJECT_CHARS)


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


class NewcomerForm(DetailsForm):
    """Somebody new, and how they come in."""

    login = forms.CharField(label=_("User name"), max_length=64)
    entry = forms.ChoiceField(choices=WAYS)

    field_order = ("login", "display_name", "department", "role", "entry")

    def __init__(self, *args: Any, tenant: Tenant | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant

    def clean(self) -> dict[str, Any]:
        """Refuse what the service would refuse for its form; what is taken, it says itself."""
        fields = super().clean() or {}
        if not self.errors:
            try:
                check_newcomer(self.newcomer(), tenant=self.tenant)
            except ValidationError as error:
                self.take_over(error)
            except RoleImpossible as error:
                self.add_error("role", gettext(error.message))
        return fields

    def way(self) -> Way:
        """Return how the person comes in."""
        return Way(self.cleaned_data["entry"])

    def newcomer(self) -> Newcomer:
        """Return the person."""
        typed = self.cleaned_data
        role = typed.get("role") or (Role.MEMBER if self.tenant else Role.OPERATOR)
        return Newcomer(typed["login"], typed["display_name"], typed["department"], role)

    def take_over(self, error: ValidationError) -> None:
        """Show what the service refused, beside its field."""
        for name, said in getattr(error, "error_dict", {"login": [error]}).items():
            self.add_error("login" if name not in self.fields else name, said)


class FirstAdminForm(NewcomerForm):
    """The first administrator of an organisation."""


class AddForm(NewcomerForm):
    """Anybody; the people of an organisation have a role, and may come through its directory only."""

    role = forms.ChoiceField(choices=[(role, Role(role).label) for role in ROLE_ACTIONS])

    def __init__(self, *args: Any, tenant: Tenant | None, **kwargs: Any) -> None:
        super().__init__(*args, tenant=tenant, **kwargs)
        if tenant is None:
            del self.fields["role"]
            return
        entry = cast(forms.ChoiceField, self.fields["entry"])
        entry.choices = [*WAYS, (Way.DIRECTORY.value, _("Directory only"))]


class ImportForm(forms.Form):
    """A file of people, and how they come in."""

    file = forms.FileField(label=_("CSV file"), max_length=200)
    entry = forms.ChoiceField(choices=[*WAYS, (Way.DIRECTORY.value, _("Directory only"))])

    def clean_file(self) -> Any:
        """Refuse a file that is too large, before it is read."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise ValidationError(
                _("The file is larger than %(size)s kB."), params={"size": MAX_BYTES // 1000}
            )
        return file

    def way(self) -> Way:
        """Return how the people come in."""
        return Way(self.cleaned_data["entry"])
