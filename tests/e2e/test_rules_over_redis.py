"""Rules that another machine publishes hold in a server within seconds, by Redis alone."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.client import Client, Socket
from tests.e2e.test_rule_sets import HERON, approve, manage
from tests.portal import PortalProcess, free_port

# What the portal promises of a publication, in all processes; and how long the publishing command itself may take.
GOAL_S, PATIENCE_S = 3.0, 60.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """A Redis of its own, which writes nothing."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


async def test_what_another_machine_publishes_holds_in_every_server_within_three_seconds(
    redis: str, tmp_path: Path
) -> None:
    portal = PortalProcess(
        tmp_path / "data",
        PORTAL_ENGINE="scripted",
        PORTAL_SCRIPTED_MS="150",
        PORTAL_RUNNING_PER_PERSON="2",
        REDIS_URL=redis,
    )
    await asyncio.to_thread(portal.start)
    second = other_machine(portal, tmp_path / "second")
    try:
        await asyncio.to_thread(approve, portal, HERON, tmp_path)
        await asyncio.to_thread(second.start)
        publisher = other_machine(portal, tmp_path / "elsewhere")
        client, other = Client(portal.url).sign_in("member").agree(), Client(second.url).sign_in("member")
        async with client.socket() as one, client.socket() as two, other.socket() as three:
            for socket in (one, two, three):
                await socket.ready()
            assert (await three.ask("a heron")).end["type"] == "turn.done"
            await one.send("chat.send", conversation=None, text="one two three four " * 30 + "heron")
            running = asyncio.create_task(one.read_turn())
            publishing = asyncio.create_task(asyncio.to_thread(manage, publisher, "publish"))
            held = await asyncio.gather(first_refusal(two), first_refusal(three))
            await publishing
            assert not running.done(), "the turn must outlast the publication"
            ended = await running
        assert "heron" in ended.text
        late = [at - published_at(portal) for at in held]
        sys.stdout.write(f"held after {late[0]:.2f} s and {late[1]:.2f} s\n")
        assert all(0 < seconds <= GOAL_S for seconds in late), late
    finally:
        second.stop()
        portal.stop()


async def first_refusal(socket: Socket) -> float:
    """Ask until the new rule refuses, and return when the answer that says so had come."""
    until = time.monotonic() + PATIENCE_S
    while (asked := await socket.ask("a heron")).end["type"] != "turn.refused":
        assert time.monotonic() < until, "never refused"
        await asyncio.sleep(0.05)
    assert asked.end["reason"]["code"] == "STOP-01"
    return time.time()


def published_at(portal: PortalProcess) -> float:
    """Return when the publication's row was written, shortly before it was committed."""
    (path,) = portal.data_dir.glob("*.sqlite3")
    with closing(sqlite3.connect(path)) as database:
        (text,) = database.execute("SELECT max(published_at) FROM policy_rulesetversion").fetchone()
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def other_machine(portal: PortalProcess, folder: Path) -> PortalProcess:
    """Return an installation with the same database and keys, whose stamp file the server does not see."""
    shutil.copytree(portal.data_dir, folder, ignore=shutil.ignore_patterns("*.sqlite3*", "*.sock", "models"))
    (database,) = portal.data_dir.glob("*.sqlite3")
    other = PortalProcess(
        folder, DATABASE_URL=f"sqlite:///{database}", REDIS_URL=portal.environment["REDIS_URL"]
    )
    kept = ("PORTAL_ENGINE", "PORTAL_SCRIPTED_MS", "PORTAL_RUNNING_PER_PERSON")
    other.environment |= {name: portal.environment[name] for name in kept}
    return other
