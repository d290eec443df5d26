"""Be the members: sign in, consent, open a socket and ask, as a browser does.

One event loop holds all of them, so that their own work disturbs what is measured as little as possible.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http.cookiejar import CookieJar
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks._figures import Answer, BenchmarkError, Round
from benchmarks._server import ORGANISATION, Login

ANSWER_TIMEOUT_S = 600
# What static/chat/socket.js does.
ACK_EVERY = 8
GOOD_ENDS = frozenset({"complete", "length", "stopped"})

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Member:
    """One member with an open socket. `ready` is the server's greeting."""

    def __init__(self, socket: ClientConnection, ready: dict[str, Any]) -> None:
        self._socket = socket
        self.ready = ready

    async def ask(self, question: str, *, stop_after: int = 0) -> Answer:
        """Ask in a new conversation and follow the answer to its end; after `stop_after` pieces stop it.

        Raises BenchmarkError when there is no answer.
        """
        began = time.perf_counter()
        await self._send(type="chat.send", id="q", conversation=None, text=question)
        first = stopped = 0.0
        pieces = acknowledged = 0
        while True:
            frame = await self._next()
            if frame["type"] == "turn.delta":
                first = first or time.perf_counter()
                pieces += 1
                if pieces == stop_after:
                    stopped = time.perf_counter()
                    await self._send(type="chat.stop", id="s", turn=frame["turn"])
                if frame["seq"] - acknowledged >= ACK_EVERY:
                    acknowledged = frame["seq"]
                    await self._send(type="ack", id="a", turn=frame["turn"], seq=acknowledged)
            elif frame["type"] == "turn.done":
                ended = time.perf_counter()
                break
            elif frame["type"] in {"turn.refused", "error"}:
                raise BenchmarkError(f"the portal refused: {frame['code']}")
        if frame["status"] not in GOOD_ENDS or not first:
            raise BenchmarkError(f"an answer ended as {frame['status']}")
        return Answer(
            first_s=first - began,
            total_s=ended - began,
            tokens=frame["usage"]["completion_tokens"],
            pieces=pieces,
            stop_s=ended - stopped if stopped else 0.0,
        )

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()

    async def _send(self, **fields: object) -> None:
        await self._socket.send(json.dumps(fields))

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            frame: dict[str, Any] = json.loads(await self._socket.recv())
        return frame


class Crowd:
    """Several members who ask at the same moment. Use it in an `async with` block."""

    def __init__(self, port: int, logins: Sequence[Login]) -> None:
        self._port, self._logins = port, logins
        self.members: list[Member] = []

    async def __aenter__(self) -> Crowd:
        for login in self._logins:
            cookies = await asyncio.to_thread(_sign_in, self._port, login)
            self.members.append(await _open_socket(self._port, cookies))
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.gather(*(member.close() for member in self.members))

    async def ask_all(self, questions: Sequence[str]) -> Round:
        """Let as many members as there are questions ask one each, at the same moment."""
        began = time.perf_counter()
        asking = zip(self.members, questions, strict=False)
        answers = await asyncio.gather(*(member.ask(question) for member, question in asking))
        return Round(answers=tuple(answers), wall_s=time.perf_counter() - began)

    async def ask_in_turn(self, questions: Sequence[Sequence[str]]) -> Round:
        """Let each member ask a row of questions, the next as soon as the last is answered."""
        began = time.perf_counter()
        rows = await asyncio.gather(*map(_ask_row, self.members, questions))
        answers = tuple(answer for row in rows for answer in row)
        return Round(answers=answers, wall_s=time.perf_counter() - began)


async def _ask_row(member: Member, questions: Sequence[str]) -> list[Answer]:
    return [await member.ask(question) for question in questions]


async def _open_socket(port: int, cookies: str) -> Member:
    socket = await connect(
        f"ws://127.0.0.1:{port}/ws/chat/", additional_headers={"Cookie": cookies}, ping_interval=None
    )
    ready = json.loads(await socket.recv())
    if ready["type"] != "ready":
        raise BenchmarkError(f"the socket began with {ready['type']}")
    return Member(socket, ready)


def _sign_in(port: int, login: Login) -> str:
    """Sign in and agree to the notice; return the Cookie header."""
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    base = f"http://127.0.0.1:{port}"
    fields = {"organisation": ORGANISATION, "login": login.name, "password": login.password}
    landed = _submit(browser, f"{base}/accounts/login/", fields)
    if landed.endswith("/login/"):
        raise BenchmarkError("the portal did not sign a member in")
    _submit(browser, f"{base}/consent/", {"decision": "agree"})
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def _submit(browser: urllib.request.OpenerDirector, url: str, fields: dict[str, str]) -> str:
    """Fill in the form at `url`; return where the browser ends up. A page without a form is left alone."""
    with browser.open(url) as page:
        token = _TOKEN.search(page.read().decode())
    if token is None:
        return url
    body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token[1]}).encode()
    with browser.open(url, body) as answer:
        return str(answer.url)
