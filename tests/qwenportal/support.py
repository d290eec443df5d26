"""Be a person at the portal. What each address answers to whom stands in tests/walls/who_may.txt."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest
from django.test import Client

from accounts.models import User


def confirm(client: Client, person: User) -> None:
    """Let somebody who is signed in have shown a moment ago that it is them."""
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, person, "password")
    request.session.save()


def browser(person: User | None, *, enforce_csrf_checks: bool = False) -> Client:
    """Return the browser of a person, or of nobody."""
    client = Client(
        headers={"accept-language": "en"},
        raise_request_exception=False,
        enforce_csrf_checks=enforce_csrf_checks,
    )
    if person is not None:
        client.force_login(person)
        confirm(client, person)
    return client
