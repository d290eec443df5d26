"""A turn keeps its organisation's rules, asks for consent in place, takes note of flags, and fails closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from accounts.models import User
from audit.models import AuditEvent
from chat.following import refusal_fields
from chat.models import Message
from chat.pipeline import Engine, run_turn
from chat.requests import Person, TurnRequest
from chat.temporary import TemporaryConversations
from chat.turns import LiveTurn
from common.errors import PortalError
from common.threads import in_database_thread
from inference.pool import InferencePool
from policy import rulesets, services
from policy.budget import BudgetSpent
from policy.engine import find_matches
from policy.errors import ConsentInPlace
from policy.models import RuleSetVersion
from policy.serving import RuleSets, rule_sets
from tenants.scope import tenant_scope
from tests.chat.test_pipeline import agree
from tests.conftest import Cast
from tests.inference.support import open_pool, scripted

pytestmark = pytest.mark.django_db(transaction=True)

HEALTH: dict[str, Any] = {
    "code": "SPI-HEALTH-01",
    "title": {"en": "Diagnosis", "zh-hans": "诊断"},
    "keywords": ["diagnosed with"],
    "input": "consent",
}
NOTED: dict[str, Any] = {
    "code": "NOTE-01",
    "title": {"en": "Project name"},
    "keywords": ["bluebird"],
    "input": "flag",
    "output": "flag",
}


def put_in_force(officer: User, *rows: dict[str, Any]) -> RuleSetVersion:
    """Publish rules by an organisation's only officer."""
    assert officer.tenant_id is not None
    with tenant_scope(officer.tenant_id):
        draft = rulesets.draft_of(officer)
        for row in rows:
            rulesets.save_rule(draft, row, by=officer)
        rulesets.note_dry_run(draft, {}, by=officer)
        rulesets.submit(draft, by=officer)
        rulesets.approve(draft, by=officer, reason="the only officer")
        rulesets.publish(draft, by=officer)
    return draft


@dataclass
class Bench:
    pool: InferencePool
    cast: Cast
    temporary: TemporaryConversations

    async def ask(self, text: str, *, confirmed: tuple[str, ...] = (), temporary: bool = False) -> LiveTurn:
        request = TurnRequest(kind="send", text=text, temporary=temporary, confirmed=frozenset(confirmed))
        return await self.run(request)

    async def run(self, request: TurnRequest) -> LiveTurn:
        account = await in_database_thread(User.objects.select_related("tenant").get)(pk=self.cast.member.pk)
        assert account.tenant_id is not None
        turn = LiveTurn(Person(account_id=account.id, tenant_id=account.tenant_id, ip=None, language="en"))
        engine = Engine(
            choose=lambda _tenant_id: self.pool,
            system_prompt="Be kind.",
            temporary=self.temporary,
            live_answers=frozenset,
        )
        await run_turn(turn, request, account=account, engine=engine)
        return turn

    async def events(self, *prefixes: str) -> list[tuple[str, str, int, str]]:
        def read() -> list[tuple[str, str, int, str]]:
            rows = AuditEvent.objects.filter(tenant_id=self.cast.member.tenant_id or "").order_by("seq")
            wanted = rows.values_list("action", "object_id", "status", "policy_version")
            return [row for row in wanted if row[0].startswith(prefixes)]

        return await in_database_thread(read)()


@pytest.fixture
async def bench(cast: Cast) -> AsyncIterator[Bench]:
    rule_sets.cache_clear()
    await in_database_thread(agree)(cast.member)
    async with open_pool(scripted()) as pool:
        yield Bench(pool, cast, TemporaryConversations(lambda _conversation: None))
    rule_sets.cache_clear()


async def messages() -> int:
    def count(tenant: Any) -> int:
        with tenant_scope(tenant):
            return Message.objects.count()

    tenant = (await in_database_thread(User.objects.get)(handle="north/mei")).tenant_id
    return await in_database_thread(count)(tenant)


@pytest.mark.parametrize("temporary", [False, True])
async def test_sensitive_text_waits_for_the_person_to_agree(bench: Bench, *, temporary: bool) -> None:
    version = await in_database_thread(put_in_force)(bench.cast.officer, HEALTH)
    text = "He was diagnosed with flu, what now?"
    turn = await bench.ask(text, temporary=temporary)
    assert isinstance(turn.refusal, ConsentInPlace)
    assert (turn.started, await messages()) == (None, 0)
    fields = refusal_fields(turn.refusal, language="zh-hans")
    assert fields["reason"] == {
        "code": "SPI-HEALTH-01", "title": "诊断", "spans": [[7, 21]], "confirm": ["SPI-HEALTH-01"],
    }  # fmt: skip
    assert isinstance((await bench.ask(text, confirmed=("OTHER-01",))).refusal, ConsentInPlace)
    agreed = await bench.ask(text, confirmed=("SPI-HEALTH-01",), temporary=temporary)
    assert agreed.ended is not None
    assert agreed.ended.status == "complete"
    assert await messages() == (0 if temporary else 2)
    name = (await bench.events("chat.request"))[0][3]
    assert name.endswith(f".{version.number}")
    assert await bench.events("consent.sensitive") == [
        ("consent.sensitive", "SPI-HEALTH-01", 403, name),
        ("consent.sensitive", "SPI-HEALTH-01", 403, name),
        ("consent.sensitive", "SPI-HEALTH-01", 200, name),
    ]


async def test_what_is_masked_anyway_needs_no_consent(bench: Bench) -> None:
    phones = {
        "code": "SPI-PHONE-01",
        "title": {"en": "Phone"},
        "pattern": r"1[3-9][0-9]{9}",
        "input": "consent",
    }
    await in_database_thread(put_in_force)(bench.cast.officer, phones)
    turn = await bench.ask("Ring 13812345678 now")
    assert turn.refusal is None
    assert [row[0] for row in await bench.events("policy.redact", "consent.s")] == ["policy.redact"] * 1


async def test_flags_are_counted_in_question_and_answer_and_change_nothing(bench: Bench) -> None:
    await in_database_thread(put_in_force)(bench.cast.officer, NOTED)
    turn = await bench.ask("Is Blu-ebird late?")
    assert turn.ended is not None
    assert "Blu-ebird" in turn.text_after(0)
    flags = await bench.events("policy.flag")
    assert [row[1] for row in flags] == ["NOTE-01", "NOTE-01"]
    tenant_id = bench.cast.member.tenant_id
    assert tenant_id is not None
    figures = (await in_database_thread(rulesets.rule_statistics)(tenant_id))["NOTE-01"]
    assert (figures.hits, figures.blocks) == (2, 0)


async def test_a_turn_that_runs_keeps_its_rules_and_the_next_has_the_new_ones(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = []
    generate = bench.pool.generate

    async def slowly(*given: Any) -> AsyncIterator[Any]:
        word = {"code": "STOP-01", "title": {"en": "Heron"}, "keywords": ["heron"], "output": "block"}
        published.append(await in_database_thread(put_in_force)(bench.cast.officer, word))
        async for event in generate(*given):
            yield event

    monkeypatch.setattr(bench.pool, "generate", slowly)
    running = await bench.ask("a heron stands")
    monkeypatch.undo()
    following = await bench.ask("a heron stands")
    assert [turn.ended and turn.ended.status for turn in (running, following)] == ["complete", "blocked"]
    names = {row[3] for row in await bench.events("chat.", "policy.block")}
    assert len(names) == 2
    assert len(published) == 1


async def test_a_question_that_the_rules_cannot_decide_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(services, "evaluate", broken)
    turn = await bench.ask("hello")
    assert (turn.refusal and turn.refusal.code, await messages()) == ("policy_unavailable", 0)
    assert (await bench.events("policy."))[-1][:3] == ("policy.block_input", "policy_unavailable", 503)


async def test_an_answer_that_the_rules_cannot_decide_is_withdrawn(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def slow(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) > 2:
            raise BudgetSpent
        return find_matches(*given, **named)

    monkeypatch.setattr(services, "find_matches", slow)
    turn = await bench.ask("one two three four five six")
    assert turn.ended is not None
    assert (turn.ended.status, turn.ended.text, turn.text_after(0)) == ("blocked", "", "")


async def test_rules_that_cannot_be_read_stop_the_turn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await in_database_thread(put_in_force)(bench.cast.officer, NOTED)

    def broken(*_given: object) -> None:
        raise PortalError

    monkeypatch.setattr("policy.serving.layer_of", broken)
    turn = await bench.ask("hello")
    assert turn.refusal is not None
    assert turn.refusal.code == "policy_unavailable"


async def test_an_idle_portal_asks_the_database_nothing_about_rules(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_id = bench.cast.member.tenant_id
    assert tenant_id is not None
    rules = await rule_sets().aload(tenant_id)

    def forbidden(*_given: object) -> None:
        raise AssertionError

    monkeypatch.setattr("policy.serving.current_version", forbidden)
    assert await rule_sets().aload(tenant_id) is rules
    assert rule_sets().load(tenant_id) is rules


async def test_what_no_message_told_is_found_out_in_time(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on another machine without Redis, or where whoever published was killed between committing and telling."""
    tenant_id = cast.officer.tenant_id
    assert tenant_id is not None
    rule_sets.cache_clear()
    here = rule_sets()
    before = await here.aload(tenant_id)
    with monkeypatch.context() as deaf:
        deaf.setattr("policy.lifecycle.announce_rules", lambda: None)
        await in_database_thread(put_in_force)(cast.officer, NOTED)
    assert await here.aload(tenant_id) is before
    began = time.monotonic()
    while (found := await here.aload(tenant_id)).version == before.version:
        assert time.monotonic() - began < 3
        await asyncio.sleep(0.1)
    assert found.version.endswith(".1")
    assert (await RuleSets().aload(tenant_id)).version == found.version


@pytest.mark.parametrize("action", ["block", "redact"])
@pytest.mark.parametrize("hidden", ["blue[](https://a.b)bird", "[blue](https://a.b)bird"])
async def test_what_only_the_rendered_answer_shows_is_withdrawn(
    bench: Bench, action: str, hidden: str
) -> None:
    rule = {key: value for key, value in NOTED.items() if key != "input"} | {"output": action}
    await in_database_thread(put_in_force)(bench.cast.officer, rule)
    turn = await bench.ask(f"It is {hidden} [home](https://a.b)")
    assert turn.ended is not None
    assert (turn.ended.status, turn.ended.html, turn.text_after(0)) == ("blocked", "", "")
    assert turn.ended.reason_code == "NOTE-01"
    assert (await bench.events("policy.block_output"))[-1][1] == "NOTE-01"


async def test_a_mask_that_reads_like_a_word_withdraws_nothing(bench: Bench) -> None:
    rule = {key: value for key, value in NOTED.items() if key != "input"}
    rule |= {"output": "redact", "mask": "[bluebird]"}
    await in_database_thread(put_in_force)(bench.cast.officer, rule)
    turn = await bench.ask("It is bluebird and **bluebird**")
    assert turn.ended is not None
    assert (turn.ended.status, turn.ended.text.count("[bluebird]") >= 2) == ("complete", True)


async def test_a_question_that_is_answered_anew_is_stored_as_stricter_rules_leave_it(bench: Bench) -> None:
    first = await bench.ask("Tell me of bluebird")
    assert first.started is not None
    rule = {key: value for key, value in NOTED.items() if key != "output"} | {
        "input": "redact",
        "mask": "[P]",
    }
    await in_database_thread(put_in_force)(bench.cast.officer, rule)
    again = await bench.run(TurnRequest(kind="regenerate", message=first.started.message))
    assert (again.ended and again.ended.status, again.started and again.started.shown) == (
        "complete",
        "Tell me of [P]",
    )

    def stored(tenant: Any) -> str:
        with tenant_scope(tenant):
            return str(Message.objects.get(pk=first.started and first.started.prompt).body)

    assert await in_database_thread(stored)(bench.cast.member.tenant_id) == "Tell me of [P]"
