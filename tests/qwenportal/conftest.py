"""The cast, ready to chat: members have accepted their notices, and one has a conversation."""

from __future__ import annotations

import pytest

from chat.models import Conversation
from consent.services import accept_notice, read_current_notice
from tenants.scope import tenant_scope
from tests.conftest import Cast


@pytest.fixture
def conversation(cast: Cast) -> Conversation:
    """Return the member's conversation."""
    for person in (cast.member, cast.colleague, cast.outsider):
        assert person.tenant_id is not None
        with tenant_scope(person.tenant_id):
            accept_notice(person, notice=read_current_notice(language="en"), ip=None)
    assert cast.member.tenant_id is not None
    with tenant_scope(cast.member.tenant_id):
        row: Conversation = Conversation.objects.create(
            tenant_id=cast.member.tenant_id, owner=cast.member, title="A heron at dawn"
        )
    return row
