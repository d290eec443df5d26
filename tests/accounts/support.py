"""Use the real sign-in form."""

from __future__ import annotations

from typing import Any

from django.test import Client

from accounts.models import User
from accounts.parameters import Wanted, set_parameters
from tests.conftest import PASSWORD

LOGIN = "/accounts/login/"


def sign_in(
    client: Client,
    login: str,
    *,
    organisation: str = "north",
    password: str = PASSWORD,
    address: str = "198.51.100.7",
    **more: Any,
) -> Any:
    """Send the form from a network address and return the response; further fields and headers by name."""
    headers = {name: more.pop(name) for name in list(more) if name.startswith("HTTP_")}
    fields = {"organisation": organisation, "login": login, "password": password} | more
    return client.post(LOGIN, fields, REMOTE_ADDR=address, **headers)


def who(client: Client) -> str | None:
    """Return the id of the account that is signed in."""
    account: str | None = client.session.get("_auth_user_id")
    return account


def set_parameter(by: User, code: str, text: str) -> None:
    """Set a system parameter of the organisation of `by`, which has none yet."""
    set_parameters({code: Wanted(text=text, base=0)}, reason="A test.", by=by, tenant=by.tenant)
