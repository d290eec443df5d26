"""What ends one session closes its sockets and stops its turns within a second, and nothing else of the person's."""

from __future__ import annotations

import re

from tests.client import Client, Socket, Stopwatch
from tests.e2e.test_leaving import LONG, wait_for_status
from tests.portal import PASSWORD, PortalProcess


async def is_alive(socket: Socket) -> bool:
    await socket.send("ping")
    return bool((await socket.receive())["type"] == "pong")


async def test_signing_out_in_one_browser_leaves_the_other_one_alone(fast_portal: PortalProcess) -> None:
    fast_portal.add_account("two")
    here, there = (Client(fast_portal.url).sign_in("two") for _ in range(2))
    here.agree()
    async with here.socket() as first, there.socket() as second:
        await first.ready()
        await second.ready()
        kept = await second.ask("for now", temporary=True)
        await first.send("chat.send", conversation=None, text=LONG)
        turn = await first.read_turn(until_seq=2)
        here.post("/accounts/logout/", form_on="/")
        watch = Stopwatch()
        assert await first.closed_with() == 4401
        assert watch.seconds < 1
        await wait_for_status(fast_portal, turn.conversation, "stopped")
        assert await is_alive(second)
        again = await second.ask("and now", conversation=kept.conversation, temporary=True)
        assert again.end["status"] == "complete"


async def test_a_turn_of_a_session_that_ended_stops_though_another_browser_follows_it(
    fast_portal: PortalProcess,
) -> None:
    fast_portal.add_account("both")
    here, there = (Client(fast_portal.url).sign_in("both") for _ in range(2))
    here.agree()
    async with here.socket() as first, there.socket() as second:
        await first.ready()
        await second.ready()
        await second.send("chat.send", conversation=None, text=LONG)
        turn = await second.read_turn(until_seq=2)
        ends = re.findall(r"/accounts/sessions/[0-9a-f-]+/end/", here.get("/accounts/sessions/").text)
        watch = Stopwatch()
        assert here.post(ends[1], form_on="/accounts/sessions/").status == 200
        assert await second.closed_with() == 4401
        assert watch.seconds < 2, "two pages, and the socket"
        await wait_for_status(fast_portal, turn.conversation, "stopped")
        assert await is_alive(first)
    assert "/accounts/login/" in there.get("/").url


async def test_a_password_given_to_somebody_closes_what_they_have_open_and_opens_no_socket(
    fast_portal: PortalProcess,
) -> None:
    fast_portal.add_account("forgetful")
    client = Client(fast_portal.url).sign_in("forgetful").agree()
    async with client.socket() as socket:
        await socket.ready()
        given = fast_portal.manage(
            "account", "password", "demo/forgetful", "--as", "demo/admin", ACCOUNT_PASSWORD=PASSWORD
        )
        assert await socket.closed_with() == 4401
    password = given.stdout.split()[-1]
    client = Client(fast_portal.url).sign_in("forgetful", password=password)
    assert client.get("/").url.endswith("/accounts/password/")
    async with client.socket() as socket:
        assert await socket.closed_with() == 4401
    new = "eleven blue kites over town"
    assert client.post("/accounts/password/", new=new, again=new).url == f"{client.url}/"
    async with client.socket() as socket:
        await socket.ready()
