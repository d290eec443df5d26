"""Count the SQL statements of turns and of doing nothing.

The product has no hook for this, so the whole application runs here in a process of its own, on the installation that
the other figures come from, and a member's socket is two queues. (The test client of channels would keep database
connections open that the server closes, and so hide their cost.) SQLite itself reports each statement
that it begins, on every connection and in every thread, whoever opened it; Django's own query log would see one thread
only. A statement that fires triggers is reported once more for each of them, and counted once; BEGIN and COMMIT are
counted apart.

Run as `python -m benchmarks._statements LOGIN SECONDS` it is that process and prints the counts as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks._server import ORGANISATION, ROOT, Installation, Login

CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
TURNS = 5
TIMEOUT_S = 30
# The answer's end is told before the last connections close.
SETTLE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Statements of one turn (the first of a conversation, and a further one), and of idling."""

    first_turn: float
    next_turn: float
    transactions: float
    connections: float
    idle: int
    idle_s: float
    statements: list[str]


def count_statements(installation: Installation, login: Login, *, idle_s: float) -> Counts:
    """Run the count in a process of its own. Raises CalledProcessError if that fails."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._statements", login.name, str(idle_s)],
        cwd=ROOT,
        env=installation.environment(
            {
                "DJANGO_SETTINGS_MODULE": "qwenportal.settings",
                "PORTAL_ENGINE": "scripted",
                "PORTAL_SCRIPTED_MS": "1",
            }
        ),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Counts(**json.loads(done.stdout.splitlines()[-1]))


class _Tally:
    """Gather what SQLite begins to run."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.transactions = 0
        self.connections = 0
        self._last = ""

    def watch(self, *, connection: Any, **_signal: object) -> None:
        """Listen to a new connection; for Django's `connection_created`."""
        self.connections += 1
        connection.connection.set_trace_callback(self._take)

    def clear(self) -> None:
        """Begin anew."""
        self.statements.clear()
        self.transactions = self.connections = 0

    def _take(self, statement: str) -> None:
        if statement.upper().startswith(CONTROL):
            self.transactions += statement.upper().startswith("BEGIN")
        elif statement != self._last or statement.startswith("SELECT"):
            self.statements.append(_shape(statement))
        self._last = statement


def _shape(statement: str) -> str:
    """Return what a statement does and to which table, without its values."""
    words = statement.replace('"', "").split()
    marks = [word.upper() for word in words]
    after = {"SELECT": "FROM", "DELETE": "FROM", "INSERT": "INTO", "UPDATE": "UPDATE"}.get(marks[0], "")
    return f"{marks[0]} {words[marks.index(after) + 1]}" if after in marks else marks[0]


class _Socket:
    """A member's socket, as a server would hand it to the application."""

    def __init__(self, cookies: str) -> None:
        self._cookies = cookies
        self._inward: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outward: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and read the greeting."""
        from qwenportal.asgi import application  # noqa: PLC0415 - needs Django set up

        scope = {
            "type": "websocket",
            "path": "/ws/chat/",
            "headers": [(b"host", b"127.0.0.1"), (b"cookie", self._cookies.encode())],
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "subprotocols": [],
        }
        serving = application(scope, self._inward.get, self._outward.put)
        self._serving = asyncio.create_task(serving)
        await self._inward.put({"type": "websocket.connect"})
        if (await self._outward.get())["type"] != "websocket.accept" or (await self.read())[
            "type"
        ] != "ready":
            raise RuntimeError("the portal did not take the socket")

    async def say(self, **frame: object) -> None:
        """Send a frame."""
        await self._inward.put({"type": "websocket.receive", "text": json.dumps(frame)})

    async def read(self) -> dict[str, Any]:
        """Return the next frame."""
        async with asyncio.timeout(TIMEOUT_S):
            frame: dict[str, Any] = json.loads((await self._outward.get())["text"])
        return frame

    async def close(self) -> None:
        """Leave."""
        await self._inward.put({"type": "websocket.disconnect", "code": 1000})
        if self._serving is not None:
            await asyncio.wait([self._serving], timeout=TIMEOUT_S)


def _cookies_of(login: str) -> str:
    """Sign the member in and return the Cookie header."""
    from django.conf import settings  # noqa: PLC0415 - these need Django set up
    from django.test import Client  # noqa: PLC0415

    from accounts.models import User  # noqa: PLC0415

    browser = Client()
    browser.force_login(
        User.objects.get(login_name=login, tenant__code=ORGANISATION),
        backend=settings.AUTHENTICATION_BACKENDS[-1],
    )
    return "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())


async def _take_turn(client: _Socket, conversation: str | None) -> str:
    """Ask, read to the end, return the conversation."""
    await client.say(type="chat.send", id="q", conversation=conversation, text="Tell 1 count 20")
    while True:
        told = await client.read()
        if told["type"] == "turn.started":
            conversation = told["conversation"]
        if told["type"] == "turn.done":
            await asyncio.sleep(SETTLE_S)
            return str(conversation)
        if told["type"] in {"turn.refused", "error"}:
            raise RuntimeError(f"the portal refused: {told['code']}")


async def _count(cookies: str, tally: _Tally, idle_s: float) -> Counts:
    client = await _connect(cookies)
    await _take_turn(client, None)
    tally.clear()
    conversations = [await _take_turn(client, None) for _ in range(TURNS)]
    first, transactions, connections = list(tally.statements), tally.transactions, tally.connections
    tally.clear()
    for conversation in conversations:
        await _take_turn(client, conversation)
    following = len(tally.statements)
    tally.clear()
    await asyncio.sleep(idle_s)
    idle = len(tally.statements)
    await client.close()
    return Counts(
        first_turn=len(first) / TURNS,
        next_turn=following / TURNS,
        transactions=transactions / TURNS,
        connections=connections / TURNS,
        idle=idle,
        idle_s=idle_s,
        statements=first[: len(first) // TURNS],
    )


async def _connect(cookies: str) -> _Socket:
    """Return an open socket of a portal whose engine is ready."""
    from chat.runtime import runtime  # noqa: PLC0415 - needs Django set up

    client = _Socket(cookies)
    await client.open()
    await runtime().wait_started()
    pool = runtime().pool
    if pool is None:
        raise RuntimeError(runtime().reason)
    await pool.wait_ready(TIMEOUT_S)
    return client


def main() -> None:
    """Count, print, leave."""
    import django  # noqa: PLC0415 - reads the environment
    from django.db.backends.signals import connection_created  # noqa: PLC0415

    django.setup()
    tally = _Tally()
    connection_created.connect(tally.watch)
    counts = asyncio.run(_count(_cookies_of(sys.argv[1]), tally, float(sys.argv[2])))
    print(json.dumps(asdict(counts)), flush=True)
    # The worker ends with this process.
    os._exit(0)


if __name__ == "__main__":
    main()
