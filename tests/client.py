"""A plain client: pages over HTTP with cookies and forms, turns over the websocket."""

from __future__ import annotations

import asyncio
import contextlib
import http.cookiejar
import itertools
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from tests.portal import PASSWORD

RECEIVE_TIMEOUT_S = 60
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')

Frame = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """What came back: status, text, and the address after redirects."""

    status: int
    text: str
    url: str


class Client:
    """One person's browser without the browser."""

    def __init__(self, url: str, *, language: str = "en") -> None:
        self.url = url
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self._opener.addheaders = [("Accept-Language", language)]

    def get(self, path: str) -> Page:
        return self._open(urllib.request.Request(self.url + path))

    def post(self, path: str, *, form_on: str | None = None, **fields: str) -> Page:
        """Send a form with the token of the page that it stands on."""
        token = _TOKEN.search(self.get(form_on or path).text)
        body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token.group(1) if token else ""})
        return self._open(
            urllib.request.Request(self.url + path, body.encode(), {"Referer": self.url + path})
        )

    def _open(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=30) as response:
                return Page(response.status, response.read().decode(), response.url)
        except urllib.error.HTTPError as error:
            return Page(error.code, error.read().decode(), error.url or "")

    def sign_in(self, login: str, *, organisation: str = "demo", password: str = PASSWORD) -> Client:
        page = self.post("/accounts/login/", organisation=organisation, login=login, password=password)
        assert page.status == 200, page.status
        assert "/accounts/login/" not in page.url
        return self

    def agree(self) -> Client:
        assert self.post("/consent/", decision="agree").url == f"{self.url}/"
        return self

    @property
    def cookies(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)

    @asynccontextmanager
    async def socket(self, **headers: str) -> AsyncIterator[Socket]:
        """Open `/ws/chat/`; yields after `ready`, or with a socket that was closed."""
        address = self.url.replace("http://", "ws://") + "/ws/chat/"
        sent = {"Cookie": self.cookies, "Accept-Language": "en", **headers}
        async with websockets.connect(
            address, additional_headers=sent, max_size=None, proxy=None, compression=None
        ) as connection:
            yield Socket(connection)


@dataclass
class Turn:
    """What was received of one turn."""

    id: str = ""
    text: str = ""
    seq: int = 0
    frames: list[Frame] = field(default_factory=list)
    end: Frame = field(default_factory=dict)

    @property
    def started(self) -> Frame:
        return next(frame for frame in self.frames if frame["type"] == "turn.started")

    @property
    def conversation(self) -> str:
        return str(self.started["conversation"])


class Socket:
    """The websocket, frame by frame, and whole turns with acknowledgements."""

    _ids = itertools.count(1)

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def receive(self) -> Frame:
        frame: Frame = json.loads(await asyncio.wait_for(self.connection.recv(), RECEIVE_TIMEOUT_S))
        return frame

    async def ready(self) -> Frame:
        frame = await self.receive()
        assert frame["type"] == "ready", frame
        return frame

    async def send(self, kind: str, **fields: Any) -> str:
        frame_id = str(next(self._ids))
        await self.connection.send(json.dumps({"type": kind, "id": frame_id, **fields}))
        return frame_id

    async def closed_with(self) -> int:
        """Read until the server closes and return its code."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await self.receive()
        return self.connection.close_code or 0

    async def ask(self, text: str, *, conversation: str | None = None, temporary: bool = False) -> Turn:
        """Send a question and read its turn to the end."""
        await self.send("chat.send", conversation=conversation, text=text, temporary=temporary)
        return await self.read_turn()

    async def read_turn(self, turn: Turn | None = None, *, until_seq: int | None = None) -> Turn:
        """Read a turn to its end, or until a sequence number, acknowledging all that comes."""
        turn = turn or Turn()
        while True:
            frame = await self.receive()
            if frame["type"] in {"pong", "ready"}:
                continue
            turn.frames.append(frame)
            turn.id = frame.get("turn") or turn.id
            if frame["type"] == "turn.delta":
                turn.text, turn.seq = turn.text + frame["text"], frame["seq"]
                await self.send("ack", turn=turn.id, seq=turn.seq)
                if until_seq is not None and turn.seq >= until_seq:
                    return turn
            elif frame["type"] in {"turn.done", "turn.refused", "error"}:
                turn.end = frame
                return turn


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start
