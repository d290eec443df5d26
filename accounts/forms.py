"""Ask for organisation, login and password."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.hashing import TooManySignIns
from accounts.models import make_handle
from common.errors import PortalError


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's sign-in form with the organisation in front.

    What the three fields say becomes one handle, so that allauth, the lockout and the back ends count the same person.
    """

    organisation = forms.CharField(label=_("Organisation"), max_length=32, required=False)

    field_order = ("organisation", "login", "password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = forms.CharField(label=_("User name"), max_length=64)
        self.fields["password"].label = _("Password")
        self.fields["password"].validators.append(MaxLengthValidator(256))
        self.fields.pop("remember", None)
        self.order_fields(list(self.field_order))

    def clean(self) -> dict[str, Any]:
        """Sign in, and say why it is refused where the person may know."""
        try:
            cleaned: dict[str, Any] = super().clean()
        except PortalError as error:
            if isinstance(error, TooManySignIns):
                raise
            raise forms.ValidationError(gettext(error.message), code=error.code) from None
        return cleaned

    def user_credentials(self) -> dict[str, Any]:
        """Return what the authentication back ends get."""
        handle = make_handle(organisation=self.cleaned_data["organisation"], login=self.cleaned_data["login"])
        return {"username": handle, "password": self.cleaned_data["password"]}
