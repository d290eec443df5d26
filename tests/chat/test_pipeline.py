"""A turn runs on what its organisation is given, and a temporary one that breaks leaves nothing in the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import OperationalError

from accounts.models import User
from chat import conversations
from chat.pipeline import Engine, run_turn
from chat.requests import Person, TurnRequest
from chat.temporary import TemporaryConversations
from chat.turns import LiveTurn
from common.threads import in_database_thread
from consent.services import accept_notice, read_current_notice
from inference.engine import Origin
from inference.pool import InferencePool
from inference.queueing import Claim
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.inference.support import open_pool, scripted

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Bench:
    """A pool that notes who comes and what it is told to forget, and a member who has agreed."""

    pool: InferencePool
    account: User
    temporary: TemporaryConversations
    claims: list[Claim] = field(default_factory=list)
    forgotten: list[Origin] = field(default_factory=list)

    async def ask(self, *, temporary: bool) -> LiveTurn:
        account = await in_database_thread(User.objects.select_related("tenant").get)(pk=self.account.pk)
        assert account.tenant_id is not None
        turn = LiveTurn(Person(account_id=account.id, tenant_id=account.tenant_id, ip=None, language="en"))
        request = TurnRequest(kind="send", text="Hello 3", temporary=temporary)
        engine = Engine(
            choose=lambda _tenant_id: self.pool,
            system_prompt="Be kind.",
            temporary=self.temporary,
            live_answers=frozenset,
        )
        await run_turn(turn, request, account=account, engine=engine)
        return turn


@pytest.fixture
async def bench(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    await in_database_thread(agree)(cast.member)
    async with open_pool(scripted()) as pool:
        bench = Bench(pool, cast.member, TemporaryConversations(lambda _conversation: None))
        admit = pool._admission.take

        def take(claim: Claim, **estimates: object) -> None:
            bench.claims.append(claim)
            admit(claim, **estimates)  # type: ignore[arg-type]

        monkeypatch.setattr(pool._admission, "take", take)
        monkeypatch.setattr(pool, "forget", bench.forgotten.append)
        yield bench


def agree(account: User) -> None:
    assert account.tenant_id is not None
    with tenant_scope(account.tenant_id):
        accept_notice(account, notice=read_current_notice(language="en"), ip=None)


def conversation_of(turn: LiveTurn) -> UUID:
    assert turn.started is not None
    return turn.started.conversation


async def test_a_turn_asks_with_the_weight_of_its_organisation(bench: Bench) -> None:
    await bench.ask(temporary=False)
    await in_database_thread(call_command)("tenant", "weight", "north", "3")
    turn = await bench.ask(temporary=False)
    assert turn.ended is not None
    assert turn.ended.status == "complete"
    assert [claim.weight for claim in bench.claims] == [1.0, 3.0]
    assert {claim.person for claim in bench.claims} == {str(bench.account.pk)}


async def test_a_temporary_conversation_that_is_kept_is_not_forgotten(bench: Bench) -> None:
    turn = await bench.ask(temporary=True)
    assert conversation_of(turn) in bench.temporary
    assert bench.forgotten == []


async def test_a_first_temporary_turn_whose_end_cannot_be_recorded_is_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_given: object) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(conversations, "close_turn", unavailable)
    turn = await bench.ask(temporary=True)
    assert turn.refusal is not None
    assert bench.forgotten == [Origin(conversation=str(conversation_of(turn)))]


async def test_a_first_temporary_turn_that_breaks_in_the_program_is_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("chat.pipeline._show", broken)
    with pytest.raises(ZeroDivisionError):
        await bench.ask(temporary=True)
    assert len(bench.forgotten) == 1
