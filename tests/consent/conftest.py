"""Sign people in, and publish notices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from consent.services import NoticeText, publish_notice
from tenants.scope import tenant_scope
from tests.conftest import Cast

Publish = Callable[..., int]


@pytest.fixture
def member(cast: Cast) -> Client:
    """The browser of the member, who has not agreed yet."""
    return browser(cast.member)


def browser(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person)
    return client


@pytest.fixture
def publish(cast: Cast) -> Publish:
    """Publish the next notice of `north`, or of another person's organisation."""

    def publish(
        words: str = "Changed", *, person: User = cast.member, languages: tuple[str, ...] = ("en",)
    ) -> int:
        assert person.tenant_id is not None
        texts = {
            language: NoticeText(f"{words} title", f"{words} question?", f"{words} **body**")
            for language in languages
        }
        with tenant_scope(person.tenant_id):
            return publish_notice(texts=texts, actor=None)

    return publish
