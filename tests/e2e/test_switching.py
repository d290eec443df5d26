"""Another model takes over while people ask, with real models and the real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from registry.catalogue import STARTER
from tests.client import Client, Turn
from tests.portal import PASSWORD, PortalProcess

pytestmark = pytest.mark.model

NAME, OTHER_NAME = b"Smollm2 135M 8k Lc100K Mix1 Ep2", b"Smollm2 135M 8k Lc100K Mix1 Ep3"
PEOPLE = ("ann", "bob", "cem")
PATIENCE_S = 60

IMPORT = """
from pathlib import Path
from registry import services
row = services.import_file(Path({path!r}), source="test", by=None)
services.waive(row, reason="a test")
print(row.sha256)
"""


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, starter_model: Path) -> Iterator[PortalProcess]:
    process = PortalProcess(
        tmp_path_factory.mktemp("switch") / "data",
        PORTAL_MODEL=str(starter_model),
        PORTAL_MAX_NEW_TOKENS="12",
        PORTAL_SLOTS="2",
        PORTAL_STANDBY="off",
    ).start()
    for name in PEOPLE:
        process.add_account(name)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def other_model(portal: PortalProcess, starter_model: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Import the starter model under another name, and return its digest."""
    data = starter_model.read_bytes()
    assert data.count(NAME) == 1
    path = tmp_path_factory.mktemp("other") / "other.gguf"
    path.write_bytes(data.replace(NAME, OTHER_NAME))
    return portal.manage("shell", "-v0", "-c", IMPORT.format(path=str(path))).stdout.split()[-1]


class Crowd:
    """People who ask one question after the other."""

    def __init__(self, portal: PortalProcess) -> None:
        self._clients = [Client(portal.url).sign_in(name).agree() for name in PEOPLE]
        self.turns: list[Turn] = []

    async def ask_until(self, is_over: asyncio.Event) -> None:
        await asyncio.gather(*(self._ask(client, is_over) for client in self._clients))

    async def _ask(self, client: Client, is_over: asyncio.Event) -> None:
        async with client.socket() as socket:
            await socket.ready()
            while not is_over.is_set():
                self.turns.append(await socket.ask("Tell me about herons."))


async def until(condition: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_S
        await asyncio.sleep(0.1)


async def act(portal: PortalProcess, *arguments: str) -> None:
    """Let the operator do something with the models, in another process."""
    await asyncio.to_thread(portal.manage, "model", *arguments, "--as", "operator", ACCOUNT_PASSWORD=PASSWORD)


def workers(portal: PortalProcess) -> int:
    return sum(map(_is_worker, portal.process.children()))


def _is_worker(child: psutil.Process) -> bool:
    try:
        return "inference.worker" in " ".join(child.cmdline())
    except psutil.NoSuchProcess:  # gone meanwhile; a zombie is one, too
        return False


def events(portal: PortalProcess, action: str) -> list[str]:
    """Return the digests of the events of that kind."""
    with sqlite3.connect(portal.data_dir / "portal.sqlite3") as database:
        rows = database.execute(
            "select model_digest from audit_auditevent where action = ? order by at_us", (action,)
        )
        return [str(digest) for (digest,) in rows]


def choose(admin: Client, name: str) -> None:
    """Choose the model of the organisation on the page, by the words that it shows."""
    options = re.findall(r'<option value="([^"]*)"[^>]*>([^<]+)', admin.get("/console/models/").text)
    (value,) = [value for value, label in options if name in label]
    page = admin.post("/console/models/choose/", form_on="/console/models/", artifact=value)
    assert "New turns use" in page.text


async def digests_that_answer(portal: PortalProcess, *people: Client) -> list[str]:
    """Let each person ask; return the digests that the log names, and hold the names that they saw against them."""
    ends = []
    for person in people:
        async with person.socket() as socket:
            digest = (await socket.ready())["model"]["digest"]
            turn = await socket.ask("Hello")
            assert turn.end["type"] == "turn.done"
            ends.append((digest, turn.end["model"]))
    digests = events(portal, "chat.complete")[-len(people) :]
    assert digests == [digest for digest, _name in ends]
    assert [name == OTHER_NAME.decode() for _digest, name in ends] == [
        digest != STARTER.sha256 for digest in digests
    ]
    return digests


async def test_another_model_takes_over_while_people_ask_and_no_turn_is_refused_or_lost(
    portal: PortalProcess, other_model: str
) -> None:
    crowd, is_over = await asyncio.to_thread(Crowd, portal), asyncio.Event()
    asking = asyncio.create_task(crowd.ask_until(is_over))
    await until(lambda: len(crowd.turns) >= 3)
    await act(portal, "activate", other_model)
    await until(lambda: {turn.end.get("model") for turn in crowd.turns[-3:]} == {OTHER_NAME.decode()})
    is_over.set()
    await asking
    ends = [turn.end for turn in crowd.turns]
    assert {end["type"] for end in ends} == {"turn.done"}
    assert {end["status"] for end in ends} <= {"complete", "length"}
    assert len({end["model"] for end in ends}) == 2
    assert {other_model} < set(events(portal, "chat.complete"))
    await until(lambda: workers(portal) == 1)
    async with Client(portal.url).sign_in("ann").socket() as socket:
        assert (await socket.ready())["model"]["digest"] == other_model


@pytest.fixture(scope="module")
def south(portal: PortalProcess) -> None:
    """Make another organisation with a member and an administrator."""
    portal.manage("tenant", "create", "south", "South Clinic")
    for name, role in (("dan", "member"), ("eve", "admin")):
        portal.add_account(name, tenant="south", role=role)


@pytest.mark.usefixtures("south")
async def test_an_organisation_is_answered_by_the_model_that_it_chose_and_the_others_are_not(
    portal: PortalProcess, other_model: str
) -> None:
    ann = Client(portal.url).sign_in("ann")
    dan = Client(portal.url).sign_in("dan", organisation="south").agree()
    eve = Client(portal.url).sign_in("eve", organisation="south")
    await act(portal, "activate", STARTER.sha256, "--beside")
    await until(lambda: all(STARTER.sha256[:16] in person.get("/").text for person in (ann, dan)))
    choose(eve, OTHER_NAME.decode())
    await until(lambda: other_model[:16] in dan.get("/").text)
    assert workers(portal) == 2
    assert await digests_that_answer(portal, ann, dan) == [STARTER.sha256, other_model]
    choose(eve, "default")
    await act(portal, "activate", other_model)
    await until(lambda: all(other_model[:16] in person.get("/").text for person in (ann, dan)))
    await until(lambda: workers(portal) == 1)
    assert await digests_that_answer(portal, ann, dan) == [other_model, other_model]


def damage(stored: Path) -> bytes:
    """Change the end of a stored file, and return what it was."""
    whole = stored.read_bytes()
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        file.seek(-64, os.SEEK_END)
        file.write(b"x" * 64)
    return whole


async def test_a_changed_file_stops_its_model_and_what_was_in_use_before_stands_in_until_it_is_repaired(
    portal: PortalProcess, other_model: str
) -> None:
    stored = portal.data_dir / "models" / f"{other_model}.gguf"
    whole = damage(stored)
    portal.worker.kill()  # the next worker may not load what lies there now
    await until(lambda: events(portal, "model.mismatch") == [other_model])
    ann = Client(portal.url).sign_in("ann")
    await until(portal.is_ready)
    assert await digests_that_answer(portal, ann) == [STARTER.sha256]
    operator = Client(portal.url).sign_in("operator", organisation="")
    assert "stands in for a model that cannot run" in operator.get("/console/models/").text
    portal.stop()
    portal.environment.pop(
        "PORTAL_MODEL", None
    )  # so that what is in use is started, which is the changed one
    portal.start()
    assert await digests_that_answer(portal, ann) == [STARTER.sha256]
    stored.write_bytes(whole)
    await until(lambda: other_model[:16] in ann.get("/").text)
    assert await digests_that_answer(portal, ann) == [other_model]


# The server as it is, but that the scan looks every half second instead of every ten minutes.
EAGER = """
import runpy, sys, threading
wait = threading.Event.wait
threading.Event.wait = lambda self, timeout=None: wait(self, 0.5 if timeout == 600 else timeout)
sys.argv = ["manage.py", "quickstart"]
runpy.run_path("manage.py", run_name="__main__")
"""


def readiness(portal: PortalProcess) -> str:
    """Return what /readyz says of the engine."""
    return str(json.loads(Client(portal.url).get("/readyz").text)["checks"]["engine"])


async def test_the_scan_of_a_running_server_stops_a_changed_model_and_everything_names_what_stands_in(
    portal: PortalProcess, other_model: str
) -> None:
    portal.stop()
    portal.environment.pop("PORTAL_MODEL", None)
    portal.command = [sys.executable, "-c", EAGER]
    portal.start()
    ann = Client(portal.url).sign_in("ann")
    assert await digests_that_answer(portal, ann) == [other_model]
    assert readiness(portal) == "ok"
    stops, stand_ins = events(portal, "model.mismatch"), events(portal, "model.stand_in")
    stored = portal.data_dir / "models" / f"{other_model}.gguf"
    whole = damage(stored)
    await until(lambda: events(portal, "model.mismatch") == [*stops, other_model])
    await until(lambda: events(portal, "model.stand_in") == [*stand_ins, STARTER.sha256])
    await until(lambda: readiness(portal) == "stand-in")
    assert await digests_that_answer(portal, ann) == [STARTER.sha256]
    console = Client(portal.url).sign_in("operator", organisation="").get("/console/models/").text
    assert "stands in for a model that cannot run" in console
    doctor = portal.manage("doctor", check=False).stdout
    assert "r1 answers in the place of a model that was stopped" in doctor
    report = portal.manage("compliance_report", check=False).stdout
    assert "It stands in for a model that was stopped" in report
    assert STARTER.sha256 in report
    starter = portal.data_dir / "models" / f"{STARTER.sha256}.gguf"
    starter_whole = damage(starter)
    await until(lambda: not portal.is_ready())
    assert "The model is not ready" in ann.get("/").text
    starter.write_bytes(starter_whole)
    stored.write_bytes(whole)
    await until(lambda: readiness(portal) == "ok")
    assert await digests_that_answer(portal, ann) == [other_model]
