"""Be a person at the portal. What each address answers to whom stands in tests/walls/who_may.txt."""

from __future__ import annotations

from django.test import Client

from accounts.models import User


def browser(person: User | None, *, enforce_csrf_checks: bool = False) -> Client:
    """Return the browser of a person, or of nobody."""
    client = Client(
        headers={"accept-language": "en"},
        raise_request_exception=False,
        enforce_csrf_checks=enforce_csrf_checks,
    )
    if person is not None:
        client.force_login(person)
    return client
