"""Put the chat page on a stage: the real template and scripts, and a server that says what the test tells it to.

No process and no database: the browser gets page and files from here, and the socket ends here too.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils.translation import override
from playwright.sync_api import Page, Route, WebSocketRoute

STATIC = Path(__file__).resolve().parents[2] / "static"
ORIGIN = "http://localhost"
CONVERSATION = "11111111-1111-4111-8111-111111111111"
TURN = "22222222-2222-4222-8222-222222222222"
MINE, ANSWER = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
LIMITS = {"max_prompt_chars": 200, "context_tokens": 4096, "max_new_tokens": 512, "rate_per_minute": 5}

Frame = dict[str, Any]
Behaviour = Callable[["Stage", Frame], None]


def chat_page(**changes: Any) -> str:
    """Return the chat page of a member with a new chat; `changes` go into its context."""
    request = RequestFactory().get("/")
    request.user = SimpleNamespace(  # type: ignore[assignment]
        is_authenticated=True,
        display_name="Mei",
        initial="M",
        role="member",
        tenant=SimpleNamespace(name="North"),
    )
    context: dict[str, Any] = {
        "conversation": None, "entries": [], "groups": [], "limits": LIMITS, "pool_state": "ready",
        "model": SimpleNamespace(name="Model", digest="ab" * 32, is_starter=False),
        "temporary": False, "running_turn": "", "used_tokens": 0, "listed": None,
    }  # fmt: skip
    with override("en"):
        return render_to_string("chat/chat.html", context | changes, request=request)


def kept_chat(**changes: Any) -> str:
    """Return the page of a kept conversation with one question and its answer."""
    mine = {"id": MINE, "author": "me", "text": "What is a heron?", "status": "complete"}
    answer = {"id": ANSWER, "author": "ai", "html": "<p>A bird.</p>", "status": "complete", "tokens": 3}
    conversation = {"id": CONVERSATION, "title": "Herons"}
    return chat_page(conversation=conversation, entries=[mine, answer], **changes)


class Stage:
    """One page and the server's end of its socket; `frames` are what the page has sent, pings left out."""

    def __init__(self, page: Page, html: str, behaviour: Behaviour) -> None:
        self.page = page
        self.frames: list[Frame] = []
        self.connections = 0
        self.complaints: list[str] = []
        self._html = html
        self._behaviour = behaviour
        self._socket: WebSocketRoute | None = None
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.route(f"{ORIGIN}/**", self._serve)
        page.route_web_socket("**/ws/chat/", self._open)

    def go(self) -> Page:
        """Open the page and wait until it has greeted the server."""
        self.page.goto(f"{ORIGIN}/")
        self.page.wait_for_function("document.querySelector('#send') !== null")
        return self.page

    def say(self, kind: str, **fields: Any) -> None:
        """Send a frame to the page."""
        assert self._socket is not None
        self._socket.send(json.dumps({"type": kind, "turn": TURN, **fields}))

    def drop(self, code: int) -> None:
        """Close the socket."""
        assert self._socket is not None
        self._socket.close(code=code)

    def sent(self, kind: str) -> list[Frame]:
        """Return the frames of a type that the page has sent."""
        return [frame for frame in self.frames if frame["type"] == kind]

    def start(self, frame: Frame, **fields: Any) -> None:
        """Accept a question and begin the answer."""
        self.say("turn.queued", id=frame["id"], position=0, eta_ms=0)
        began = {"conversation": CONVERSATION, "message": ANSWER, "prompt": MINE, "title": "A new title"}
        self.say("turn.started", id=frame["id"], temporary=False, **(began | fields))

    def finish(self, frame: Frame, status: str = "complete", **fields: Any) -> None:
        """End the answer."""
        ended = {
            "html": "<p>Hello <strong>you</strong></p>",
            "usage": {"prompt_tokens": 900, "completion_tokens": 52},
            "timings": {"first_token_ms": 1234, "total_ms": 4000, "tokens_per_second": 11.4},
        }
        self.say("turn.done", id=frame["id"], status=status, **(ended | fields))

    def _serve(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            kind = mimetypes.guess_type(file.name)[0] or "text/plain"
            route.fulfill(body=file.read_bytes(), content_type=kind)
            return
        if path != "/":
            route.fulfill(body="<title>Elsewhere</title>", content_type="text/html")
            return
        policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
        rules = "; ".join(f"{name} {' '.join(sources)}" for name, sources in policy.items())
        route.fulfill(body=self._html, content_type="text/html", headers={"Content-Security-Policy": rules})

    def _open(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        self.connections += 1
        socket.on_message(lambda text: self._receive(json.loads(text)))
        socket.send(json.dumps({"type": "ready", "limits": LIMITS | {"window": 64}}))

    def _receive(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._behaviour(self, frame)
