"""What is erased here is erased in the engine too."""

from __future__ import annotations

import asyncio
import threading
import uuid

import pytest
from django.test import Client

from chat import runtime as runtime_module
from chat import temporary, views
from chat.models import Conversation
from chat.requests import Person
from chat.runtime import Runtime
from chat.turns import TurnStarted
from consent.services import accept_notice, read_current_notice
from inference.admission import AdmissionLimits
from inference.engine import Origin
from inference.fleet import Fleet
from tenants.scope import tenant_scope
from tests.conftest import PASSWORD, Cast

ANN, CHAT = uuid.uuid4(), uuid.uuid4()


class Recorder(Fleet):
    """Pools that are never started, and that remember what they were told to forget."""

    def __init__(self) -> None:
        super().__init__(AdmissionLimits())
        self.forgotten: list[Origin] = []

    def forget(self, origin: Origin) -> None:
        self.forgotten.append(origin)


@pytest.fixture
async def process() -> tuple[Runtime, Recorder]:
    process, fleet = Runtime(), Recorder()
    process.serving.fleet, process._loop = fleet, asyncio.get_running_loop()
    return process, fleet


async def test_a_deleted_conversation_is_stopped_and_forgotten(process: tuple[Runtime, Recorder]) -> None:
    turn = process[0].turns.open(Person(account_id=ANN, tenant_id=uuid.uuid4(), ip=None, language="en"))
    turn.start(TurnStarted(conversation=CHAT, message=uuid.uuid4(), prompt=uuid.uuid4(), temporary=False))
    process[0].forget_conversation(CHAT, account_id=ANN)
    assert process[1].forgotten == [Origin(conversation=str(CHAT))]
    assert turn._stop_asked


async def test_another_persons_turn_is_not_stopped(process: tuple[Runtime, Recorder]) -> None:
    turn = process[0].turns.open(Person(account_id=ANN, tenant_id=uuid.uuid4(), ip=None, language="en"))
    turn.start(TurnStarted(conversation=CHAT, message=uuid.uuid4(), prompt=uuid.uuid4(), temporary=False))
    process[0].forget_conversation(CHAT, account_id=uuid.uuid4())
    assert not turn._stop_asked


async def test_a_person_who_leaves_is_forgotten_with_their_temporary_conversations(
    process: tuple[Runtime, Recorder],
) -> None:
    process[0].temporary.add(CHAT, account_id=ANN, question="a", answer="b")
    process[0].forget_person(ANN)
    assert process[1].forgotten == [Origin(conversation=str(CHAT)), Origin(person=str(ANN))]


async def test_a_temporary_conversation_that_ends_by_itself_is_forgotten(
    process: tuple[Runtime, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "KEPT_S", -1)
    process[0].temporary.add(CHAT, account_id=ANN, question="a", answer="b")
    assert process[1].forgotten == [Origin(conversation=str(CHAT))]


async def test_from_another_thread_it_happens_in_the_event_loop(process: tuple[Runtime, Recorder]) -> None:
    def act() -> None:
        process[0].forget_conversation_soon(CHAT, account_id=ANN)
        process[0].forget_person_soon(ANN)

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    assert process[1].forgotten == []
    await asyncio.sleep(0.05)
    assert process[1].forgotten == [Origin(conversation=str(CHAT)), Origin(person=str(ANN))]


def test_deleting_on_the_page_tells_the_engine(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[uuid.UUID, uuid.UUID]] = []

    class Listening(Runtime):
        def forget_conversation_soon(self, conversation_id: uuid.UUID, *, account_id: uuid.UUID) -> None:
            told.append((conversation_id, account_id))

    process = Listening()
    for module in (runtime_module, views):
        monkeypatch.setattr(module, "runtime", lambda: process)
    tenant_id = cast.member.tenant_id
    assert tenant_id is not None
    with tenant_scope(tenant_id):
        accept_notice(cast.member, notice=read_current_notice(language="en"), ip=None)
        chat = Conversation(tenant_id=tenant_id, owner_id=cast.member.id, title="Plan")
        chat.save(force_insert=True)
    client.post(
        "/accounts/login/",
        {"organisation": "north", "login": "mei", "password": PASSWORD},
    )
    assert client.post(f"/c/{chat.id}/delete/").status_code == 302
    assert told == [(chat.id, cast.member.id)]
