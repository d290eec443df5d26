"""Rules published from a terminal hold in the running server, and a turn that runs keeps those it began with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, Turn
from tests.portal import PASSWORD, PortalProcess

HEALTH: dict[str, Any] = {
    "code": "SPI-HEALTH-01",
    "title": {"en": "Diagnosis"},
    "keywords": ["diagnosed with"],
    "input": "consent",
}
HERON: dict[str, Any] = {
    "code": "STOP-01",
    "title": {"en": "Heron"},
    "keywords": ["heron"],
    "input": "block",
    "output": "block",
}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    process = PortalProcess(
        tmp_path_factory.mktemp("rules") / "data",
        PORTAL_ENGINE="scripted",
        PORTAL_SCRIPTED_MS="150",
        PORTAL_RUNNING_PER_PERSON="2",
    )
    yield process.start()
    process.stop()


def manage(portal: PortalProcess, *words: str) -> None:
    portal.manage("policy", *words, "--tenant", "demo", "--as", "demo/officer", ACCOUNT_PASSWORD=PASSWORD)


def approve(portal: PortalProcess, rule: dict[str, Any], folder: Path) -> None:
    """Lead a rule to its publication, as the organisation's only officer, in processes of their own."""
    (folder / "rule.jsonl").write_text(json.dumps(rule))
    (folder / "corpus.jsonl").write_text('{"text": "hello", "label": "benign"}\n')
    manage(portal, "import", str(folder / "rule.jsonl"))
    manage(portal, "try", "--corpus", str(folder / "corpus.jsonl"))
    manage(portal, "submit")
    manage(portal, "approve", "--reason", "the only officer")


async def test_a_running_turn_keeps_its_rules_and_the_next_has_the_new_ones(
    portal: PortalProcess, tmp_path: Path
) -> None:
    await asyncio.to_thread(approve, portal, HERON, tmp_path)
    client = Client(portal.url).sign_in("member").agree()
    async with client.socket() as one, client.socket() as two:
        await one.ready()
        await two.ready()
        await one.send("chat.send", conversation=None, text="one two three four " * 20 + "heron")
        running = asyncio.create_task(one.read_turn())
        await asyncio.to_thread(manage, portal, "publish")
        refused = await two.ask("a heron")
        assert not running.done(), "the turn must outlast the publication"
        ended = await running
    assert (refused.end["code"], refused.end["reason"]["code"]) == ("blocked", "STOP-01")
    assert ended.end["status"] in {"complete", "length"}
    assert "heron" in ended.text


async def test_sensitive_text_goes_on_only_after_the_person_agrees(
    portal: PortalProcess, tmp_path: Path
) -> None:
    await asyncio.to_thread(approve, portal, HEALTH, tmp_path)
    await asyncio.to_thread(manage, portal, "publish")
    client = Client(portal.url).sign_in("member")
    if "/consent/" in client.get("/").url:
        client.agree()
    async with client.socket() as socket:
        await socket.ready()
        for temporary in (False, True):
            asked = await socket.ask("diagnosed with flu", temporary=temporary)
            assert asked.end["type"] == "turn.refused"
            assert asked.end["code"] == "consent_in_place"
            assert asked.end["reason"]["spans"] == [[0, 14]]
            confirmed = asked.end["reason"]["confirm"]
            await socket.send(
                "chat.send",
                conversation=None,
                text="diagnosed with flu",
                temporary=temporary,
                confirmed=confirmed,
            )
            agreed: Turn = await socket.read_turn()
            assert agreed.end["type"] == "turn.done"
            assert "diagnosed with flu" in agreed.text
        await socket.send("chat.send", conversation=None, text="hi", confirmed="SPI-HEALTH-01")
        assert (await socket.read_turn()).end["code"] == "bad_frame"
