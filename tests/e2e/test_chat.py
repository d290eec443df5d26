"""The chat's acts, through the socket and the pages of a running portal."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path

from tests.client import Client
from tests.portal import PortalProcess


def messages_on(client: Client, conversation: str) -> list[str]:
    """Return who speaks and how it stands, in order."""
    page = client.get(f"/c/{conversation}/").text
    return re.findall(r'data-from="(me|ai)" data-id="[0-9a-f-]{36}"(?: data-status="\w+")?', page)


async def test_regenerate_replaces_the_last_answer(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        first = await socket.ask("alpha beta")
        await socket.send("chat.regenerate", message=first.started["message"])
        second = await socket.read_turn()
    assert second.end["status"] == "complete"
    assert second.conversation == first.conversation
    assert second.started["message"] != first.started["message"]
    assert messages_on(fast_member, first.conversation) == ["me", "ai"]


async def test_edit_replaces_the_last_question_and_its_answer(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        first = await socket.ask("gamma delta")
        await socket.ask("second question", conversation=first.conversation)
        last = await socket.ask("third question", conversation=first.conversation)
        await socket.send("chat.edit", message=last.started["prompt"], text="better question")
        edited = await socket.read_turn()
    assert edited.end["status"] == "complete"
    page = fast_member.get(f"/c/{first.conversation}/").text
    assert "better question" in page
    assert "third question" not in page
    assert messages_on(fast_member, first.conversation) == ["me", "ai"] * 3


async def test_only_the_last_exchange_can_be_changed(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        first = await socket.ask("one")
        await socket.ask("two", conversation=first.conversation)
        await socket.send("chat.regenerate", message=first.started["message"])
        assert (await socket.read_turn()).end["type"] == "error"
        await socket.send("chat.edit", message=first.started["message"], text="not mine")
        assert (await socket.read_turn()).end["type"] == "error"
    assert messages_on(fast_member, first.conversation) == ["me", "ai"] * 2


async def test_a_temporary_chat_knows_itself_and_is_stored_nowhere(
    fast_portal: PortalProcess, fast_member: Client
) -> None:
    before = _rows(fast_portal.data_dir)
    async with fast_member.socket() as socket:
        await socket.ready()
        first = await socket.ask("for now", temporary=True)
        assert first.started["temporary"] is True
        second = await socket.ask("and again", conversation=first.conversation, temporary=True)
    assert second.end["usage"]["prompt_tokens"] > first.end["usage"]["prompt_tokens"]
    assert fast_member.get(f"/c/{first.conversation}/").status == 404
    assert _rows(fast_portal.data_dir) == before


def _rows(data_dir: Path) -> list[int]:
    with sqlite3.connect(data_dir / "portal.sqlite3") as database:
        tables = ("chat_conversation", "chat_message")
        return [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


async def test_rename_delete_and_clear(fast_portal: PortalProcess) -> None:
    fast_portal.add_account("tidy")
    client = Client(fast_portal.url).sign_in("tidy").agree()
    async with client.socket() as socket:
        await socket.ready()
        turns = [await socket.ask(f"note {number}") for number in range(3)]
    page = f"/c/{turns[0].conversation}/"
    client.post(f"{page}rename/", form_on=page, title="  A  new\ttitle ")
    assert "A new title" in client.get("/").text
    client.post(f"{page}delete/", form_on=page)
    assert client.get(page).status == 404
    refused = client.post("/c/clear/", form_on="/privacy/", confirm="something else")
    assert refused.status == 400
    assert client.get(f"/c/{turns[1].conversation}/").status == 200
    client.post("/c/clear/", form_on="/privacy/", confirm="delete")
    assert client.get(f"/c/{turns[1].conversation}/").status == 404


async def test_a_blocked_message_is_refused_with_rule_and_place_and_stored_nowhere(
    fast_portal: PortalProcess, fast_member: Client
) -> None:
    before = _rows(fast_portal.data_dir)
    async with fast_member.socket() as socket:
        await socket.ready()
        turn = await socket.ask("Check 11010519491231002X please")
    assert (turn.end["type"], turn.end["code"]) == ("turn.refused", "blocked")
    assert turn.end["reason"]["code"] == "PII-ID-01"
    assert turn.end["reason"]["spans"] == [[6, 24]]
    assert _rows(fast_portal.data_dir) == before


async def test_a_blocked_answer_is_withdrawn_whole(fast_portal: PortalProcess, fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        # The scripted engine repeats the question; this rule looks at answers only.
        turn = await socket.ask("please promise 保本保息 now")
    assert turn.end["status"] == "blocked"
    assert turn.end["html"] == ""
    assert turn.end["reason"]["code"] == "OUT-FIN-01"
    assert "保本保息" not in turn.text
    assert turn.text
    async with fast_member.socket() as socket:
        await socket.ready()
        await socket.send("chat.resume", turn=turn.id, after=0)
        again = await socket.read_turn()
    assert (again.text, again.end["status"]) == ("", "blocked")
    page = fast_member.get(f"/c/{turn.conversation}/").text
    assert 'data-status="blocked"' in page


async def test_one_running_turn_per_person(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="long " * 60)
        running = await socket.read_turn(until_seq=2)
        await socket.send("chat.send", conversation=None, text="another")
        refusal = running
        while True:
            frame = await socket.receive()
            if frame["type"] == "turn.refused":
                break
        assert frame["code"] == "busy"
        assert frame["retry_after_ms"] > 0
        await socket.send("chat.stop", turn=refusal.id)


async def test_the_rate_limit_refuses_with_the_time_to_wait(tmp_path: Path) -> None:
    portal = PortalProcess(
        tmp_path / "data", PORTAL_ENGINE="scripted", PORTAL_SCRIPTED_MS="1", PORTAL_RATE_PER_MINUTE="5"
    ).start()
    try:
        client = Client(portal.url).sign_in("member").agree()
        async with client.socket() as socket:
            assert (await socket.ready())["limits"]["rate_per_minute"] == 5
            for number in range(5):
                assert (await socket.ask(f"n {number}")).end["status"] == "complete"
            refused = (await socket.ask("one too many")).end
        assert refused["code"] == "rate_limited"
        assert 0 < refused["retry_after_ms"] <= 60_000
    finally:
        portal.stop()


async def test_withdrawing_consent_closes_the_open_chat_at_once(fast_portal: PortalProcess) -> None:
    fast_portal.add_account("leaver")
    client = Client(fast_portal.url).sign_in("leaver").agree()
    async with client.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="long " * 100)
        await socket.read_turn(until_seq=2)
        client.post("/consent/withdraw/", form_on="/privacy/")
        assert await asyncio.wait_for(socket.closed_with(), 2) == 4403
    assert "/consent/" in client.get("/").url


async def test_signing_out_closes_the_open_chat_at_once(fast_portal: PortalProcess) -> None:
    fast_portal.add_account("signer")
    client = Client(fast_portal.url).sign_in("signer").agree()
    async with client.socket() as socket:
        await socket.ready()
        client.post("/accounts/logout/", form_on="/")
        assert await asyncio.wait_for(socket.closed_with(), 2) == 4401


async def test_a_new_notice_asks_again_in_an_open_session(own_portal: PortalProcess, tmp_path: Path) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    notice = tmp_path / "notice.md"
    notice.write_text("# Changed\n\n> Do you agree to the changed notice?\n\nEverything is different now.")
    async with client.socket() as socket:
        await socket.ready()
        own_portal.manage("notice", "publish", "--tenant", "demo", f"en={notice}")
        turn = await socket.ask("hello")
        assert (turn.end["type"], turn.end["code"]) == ("turn.refused", "consent_required")
        assert await socket.closed_with() == 4403
    assert "Do you agree to the changed notice?" in client.get("/").text
    client.agree()
    async with client.socket() as socket:
        assert (await socket.ready())["notice_version"] == 2


async def test_declining_leaves_nothing_but_the_event(own_portal: PortalProcess) -> None:
    client = Client(own_portal.url).sign_in("member")
    page = client.post("/consent/", decision="decline")
    assert page.url.endswith("/consent/declined/")
    assert "/accounts/login/" in client.get("/").url
    with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM consent_consentrecord").fetchone() == (0,)
        query = (
            "SELECT action FROM audit_auditevent JOIN tenants_tenant AS tenant ON tenant_id = tenant.id"
            " WHERE code = 'demo' ORDER BY seq"
        )
        actions = [row[0] for row in database.execute(query)]
    assert actions == [
        *("tenant.create", "notice.publish", *["account.create"] * 4),
        *("auth.login", "consent.decline", "auth.logout"),
    ]


async def test_a_turn_that_nobody_follows_is_stopped_after_the_grace_time_and_its_slot_is_free(
    tmp_path: Path,
) -> None:
    portal = PortalProcess(
        tmp_path / "data",
        PORTAL_ENGINE="scripted",
        PORTAL_SCRIPTED_MS="50",
        PORTAL_RESUME_GRACE_S="1",
        PORTAL_SLOTS="1",
    ).start()
    try:
        portal.add_account("other")
        client, other = (Client(portal.url).sign_in(login).agree() for login in ("member", "other"))
        async with client.socket() as socket:
            await socket.ready()
            await socket.send("chat.send", conversation=None, text="long " * 500)  # 25 s
            turn = await socket.read_turn(until_seq=2)
        async with other.socket() as socket:
            await socket.ready()
            answer = await asyncio.wait_for(socket.ask("one two 3"), 15)
        assert answer.end["status"] == "complete"
        assert 'data-status="stopped"' in client.get(f"/c/{turn.conversation}/").text
    finally:
        portal.stop()


async def test_a_client_that_does_not_acknowledge_is_sent_no_more_than_the_window(
    fast_member: Client,
) -> None:
    async with fast_member.socket() as socket:
        window = (await socket.ready())["limits"]["window"]
        await socket.send("chat.send", conversation=None, text="long " * 480)
        seq, turn = 0, ""
        try:
            while True:
                frame = await asyncio.wait_for(socket.receive(), 2)
                seq, turn = frame.get("seq", seq), frame["turn"]
        except TimeoutError:
            pass
        assert 0 < seq <= window + 1
        await socket.send("ack", turn=turn, seq=seq)
        frame = await socket.receive()
        assert frame["seq"] > seq
        await socket.send("ack", turn=turn, seq=frame["seq"])
        await socket.send("chat.stop", turn=turn)


async def test_a_masked_question_is_shown_stored_and_asked_masked(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        turn = await socket.ask("Call me on 13812345678 tomorrow")
    assert "13812345678" not in turn.started["shown"]
    assert turn.started["shown"].startswith("Call me on")
    assert "13812345678" not in turn.text
    assert "13812345678" not in fast_member.get(f"/c/{turn.conversation}/").text
