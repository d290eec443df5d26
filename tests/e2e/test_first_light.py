"""The slice with a real model: consent, an answer, a second turn, stop, resume, ten at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.client import Client, Stopwatch
from tests.portal import PortalProcess

pytestmark = pytest.mark.model


async def test_the_socket_is_refused_before_consent_and_open_after(portal: PortalProcess) -> None:
    portal.add_account("newcomer")
    client = Client(portal.url).sign_in("newcomer")
    async with client.socket() as socket:
        assert await socket.closed_with() == 4403
    client.agree()
    async with client.socket() as socket:
        assert (await socket.ready())["notice_version"] == 1


async def test_the_socket_is_refused_without_a_session(portal: PortalProcess) -> None:
    async with Client(portal.url).socket() as socket:
        assert await socket.closed_with() == 4401


async def test_a_question_gets_a_streamed_answer_that_is_also_on_the_page(member: Client) -> None:
    async with member.socket() as socket:
        await socket.ready()
        turn = await socket.ask("What is the capital of France? Answer in one sentence.")
    assert turn.end["status"] in {"complete", "length"}
    assert len(turn.text.split()) >= 3
    assert sum(frame["type"] == "turn.delta" for frame in turn.frames) > 2
    assert turn.end["usage"]["completion_tokens"] > 2
    assert turn.end["timings"]["first_token_ms"] > 0
    page = member.get(f"/c/{turn.conversation}/")
    assert page.status == 200
    assert "What is the capital of France?" in page.text


async def test_a_second_turn_builds_on_the_first(member: Client) -> None:
    async with member.socket() as socket:
        await socket.ready()
        first = await socket.ask("Please say hello in five words.")
        second = await socket.ask("Say it again.", conversation=first.conversation)
        alone = await socket.ask("Say it again.")
    assert second.conversation == first.conversation
    known = first.end["usage"]["prompt_tokens"] + first.end["usage"]["completion_tokens"]
    assert second.end["usage"]["prompt_tokens"] >= known - 2
    assert alone.end["usage"]["prompt_tokens"] < second.end["usage"]["prompt_tokens"]


async def test_stop_takes_effect_within_300_ms_and_frees_the_slot(member: Client) -> None:
    async with member.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="Write a very long story about a heron.")
        turn = await socket.read_turn(until_seq=5)
        watch = Stopwatch()
        await socket.send("chat.stop", turn=turn.id)
        turn = await socket.read_turn(turn)
        assert watch.seconds < 0.3
        assert turn.end["status"] == "stopped"
        again = await socket.ask("Say hi.")
        assert again.end["type"] == "turn.done"


async def test_a_socket_that_is_cut_resumes_without_loss_or_repetition(member: Client) -> None:
    async with member.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="Write a long story about a river.")
        turn = await socket.read_turn(until_seq=8)
        socket.connection.transport.abort()
    await asyncio.sleep(0.5)
    async with member.socket() as socket:
        await socket.ready()
        await socket.send("chat.resume", turn=turn.id, after=turn.seq)
        turn = await socket.read_turn(turn, until_seq=turn.seq + 20)
        await socket.send("chat.stop", turn=turn.id)
        turn = await socket.read_turn(turn)
    assert turn.end["status"] in {"stopped", "complete", "length"}
    seqs = [frame["seq"] for frame in turn.frames if frame["type"] == "turn.delta"]
    assert seqs == sorted(set(seqs))
    async with member.socket() as socket:
        await socket.ready()
        await socket.send("chat.resume", turn=turn.id, after=0)
        whole = await socket.read_turn()
    assert whole.text == turn.text


async def test_ten_people_at_once_all_get_an_answer_or_an_honest_refusal(portal: PortalProcess) -> None:
    clients = []
    for number in range(10):
        portal.add_account(f"guest{number}")
        clients.append(Client(portal.url).sign_in(f"guest{number}").agree())

    async def one(client: Client) -> str:
        async with client.socket() as socket:
            await socket.ready()
            turn = await socket.ask("Name three colours.")
            return str(turn.end["status"] if turn.end["type"] == "turn.done" else turn.end["code"])

    results = await asyncio.gather(*(one(client) for client in clients))
    assert set(results) <= {"complete", "length", "queue_full", "queue_timeout"}
    assert sum(result in {"complete", "length"} for result in results) >= 8
