"""The cast, ready to chat: members have accepted their notices, and one has a conversation; models wait and run."""

from __future__ import annotations

import pytest

from chat.models import Conversation
from consent.services import accept_notice, read_current_notice
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.console import policy_support, support
from tests.qwenportal.support import MODEL, RULES


@pytest.fixture
def conversation(cast: Cast) -> Conversation:
    """Return the member's conversation; one artefact waits for approval, one is in use, one was before.

    The organisation has a draft of rules.
    """
    second = support.second_operator()
    for revision in (2, 3):
        support.activate(revision, by=second, second=cast.operator)
    support.submit(1, by=second, pk=MODEL)
    policy_support.draft(cast.officer, pk=RULES)
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
