"""Give each test rows in two organisations.

Asynchronous code works in another thread, on a connection of its own: such tests commit, and flush afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.apps import apps

from accounts.models import User
from chat.models import Author, Conversation, Message, Status
from consent.models import ConsentNotice, ConsentRecord
from consent.services import accept_notice, read_current_notice
from tenants.models import Tenant, TenantModel
from tenants.scope import TenantScopeMissing, current_tenant_id, tenant_scope
from tests.conftest import Cast
from tests.flushing import lift_guards_while_flushing

lift_guards_while_flushing()

MODELS = (Conversation, Message, ConsentNotice, ConsentRecord)


def every_model() -> list[type[TenantModel]]:
    """Return every model whose rows belong to a tenant, whichever app brings it."""
    return [model for model in apps.get_models() if issubclass(model, TenantModel)]


@dataclass(frozen=True)
class Rows:
    """A conversation with a message, and the cast's consent, in each tenant; read outside any scope."""

    north: Tenant
    south: Tenant
    conversation: Conversation
    foreign: Conversation
    message: Message
    foreign_message: Message
    notice: ConsentNotice
    foreign_notice: ConsentNotice


@pytest.fixture
def rows(cast: Cast) -> Rows:
    assert cast.member.tenant is not None
    assert cast.outsider.tenant is not None
    own, foreign = (make_rows(person) for person in (cast.member, cast.outsider))
    return Rows(
        north=cast.member.tenant,
        south=cast.outsider.tenant,
        conversation=own[0],
        foreign=foreign[0],
        message=own[1],
        foreign_message=foreign[1],
        notice=own[2],
        foreign_notice=foreign[2],
    )


def make_rows(person: User) -> tuple[Conversation, Message, ConsentNotice]:
    assert person.tenant_id is not None
    with tenant_scope(person.tenant_id):
        conversation = Conversation.objects.create(tenant_id=person.tenant_id, owner=person, title="Herons")
        message = Message.objects.create(
            tenant_id=person.tenant_id,
            conversation=conversation,
            exchange=conversation.id,
            position=1,
            author=Author.PERSON,
            status=Status.COMPLETE,
            body="Where?",
        )
        notice = read_current_notice(language="en")
        accept_notice(person, notice=notice, ip=None)
    return conversation, message, notice


@pytest.fixture(autouse=True)
def no_scope_is_left_open() -> Iterator[None]:
    yield
    with pytest.raises(TenantScopeMissing):
        current_tenant_id()
