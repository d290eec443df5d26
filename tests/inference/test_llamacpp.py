"""Prove on the starter model, for each engine that runs it, what only a real one can show."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from inference.engine import Event, Piece, Sampling, Started
from inference.errors import EngineUnavailable, PromptTooLong
from inference.pool import InferencePool, PoolConfig
from tests.inference.support import (
    CONTEXT,
    answer,
    ask,
    config_for,
    end_of,
    open_pool,
    talk,
    text_of,
    until,
    worker_of,
)

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

EXACT = Sampling(temperature=0, max_new_tokens=24)
# Without a penalty for repetition a model this small keeps to the words before it.
PLAIN = Sampling(temperature=0, max_new_tokens=24, repeat_penalty=1.0)
LONG = Sampling(temperature=0, max_new_tokens=400)
SYSTEM = "You are a helpful assistant."


@pytest.fixture(scope="module", params=["llamacpp", "native"])
def config(starter_model: Path, request: pytest.FixtureRequest) -> PoolConfig:
    return config_for(starter_model, request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(config: PoolConfig) -> AsyncIterator[InferencePool]:
    async with open_pool(config) as opened:
        yield opened


async def test_real_words_stream_piece_by_piece(pool: InferencePool) -> None:
    events = await answer(pool, ask("What is the capital of France?", EXACT, system=SYSTEM))
    assert "Paris" in text_of(events)
    assert sum(isinstance(event, Piece) for event in events) > 3
    end = end_of(events)
    assert end.usage.prompt_tokens > 15
    assert 0 < end.usage.completion_tokens <= 24
    assert end.timings.tokens_per_second > 0


async def test_temperature_zero_says_the_same_twice(pool: InferencePool) -> None:
    prompt = ask("Name three rivers.", EXACT, system=SYSTEM)
    assert text_of(await answer(pool, prompt)) == text_of(await answer(pool, prompt))


async def test_a_second_turn_knows_the_first_and_uses_its_work(pool: InferencePool) -> None:
    first, question = "I have a dog named Rex and a cat named Tom.", "What is the name of my dog?"
    opening = await answer(pool, ask(first, PLAIN, system=SYSTEM))
    other = await answer(pool, ask(question, PLAIN, system=SYSTEM), person="bob")
    second = await answer(pool, talk(first, text_of(opening), question, system=SYSTEM, sampling=PLAIN))
    assert "Rex" in text_of(second)
    assert "Rex" not in text_of(other)
    assert end_of(second).usage.cached_tokens >= end_of(opening).usage.prompt_tokens - 5
    assert end_of(other).usage.cached_tokens < 30


async def test_an_answer_ends_at_the_tokens_asked_for(pool: InferencePool) -> None:
    end = end_of(await answer(pool, ask("Count from one to one hundred.", Sampling(max_new_tokens=7))))
    assert (end.reason, end.usage.completion_tokens) == ("length", 7)


async def test_a_stop_text_ends_the_answer(pool: InferencePool) -> None:
    events = await answer(
        pool, ask("What is the capital of France?", replace(EXACT, stop=("Paris",)), system=SYSTEM)
    )
    assert end_of(events).reason == "complete"
    assert "Paris" not in text_of(events)


async def stop_after(pool: InferencePool, prompt: str, kind: type[Event]) -> tuple[list[Event], float]:
    """Stop soon after the first event of that kind; return all events, and how many seconds later the slot was free."""
    loop = asyncio.get_running_loop()
    events: list[Event] = []
    stopped_at = 0.0
    with pool.admit(tenant="north", person="ann") as ticket:
        async for event in pool.generate(ticket, ask(prompt, LONG)):
            events.append(event)
            if isinstance(event, kind) and not stopped_at:
                await asyncio.sleep(0.05)
                stopped_at = loop.time()
                ticket.stop()
    await until(lambda: pool.running == 0)
    return events, loop.time() - stopped_at


async def test_stop_while_it_speaks_frees_the_slot_within_300_ms(pool: InferencePool) -> None:
    times = []
    for _attempt in range(5):
        events, took = await stop_after(pool, "Write a very long story about a river.", Piece)
        assert end_of(events).reason == "stopped"
        assert 0 < end_of(events).usage.completion_tokens < LONG.max_new_tokens
        times.append(took)
        if took < 0.3:
            break
    # A machine that others use may be late once; an engine that is slow to stop is late every time.
    assert min(times) < 0.3, times


async def test_stop_while_the_prompt_is_read_ends_the_turn_and_frees_the_slot(pool: InferencePool) -> None:
    events, _took = await stop_after(pool, "stone " * 500, Started)
    assert end_of(events).reason == "stopped"
    assert text_of(events) == ""


# Leaves 512 tokens for the prompt, and speaks no further than its first space.
TIGHT = Sampling(temperature=0, max_new_tokens=512, stop=(" ", "\n", "e", "o"))


async def test_history_is_trimmed_and_the_system_prompt_stays(pool: InferencePool) -> None:
    old = "copper " * 400
    rules = "Always answer politely and briefly. " * 20
    newest = "What is the capital of France?"
    trimmed = end_of(await answer(pool, talk(old, old, newest, system=rules, sampling=TIGHT)))
    alone = end_of(await answer(pool, talk(newest, system=rules, sampling=TIGHT)))
    assert trimmed.usage.trimmed_messages == 2
    assert trimmed.usage.prompt_tokens == alone.usage.prompt_tokens > 120


async def test_a_trimmed_conversation_uses_its_work_again(pool: InferencePool) -> None:
    lines = ["copper " * 60] * 10
    first = end_of(await answer(pool, talk(*lines, "one?", system=SYSTEM, sampling=TIGHT)))
    second = end_of(await answer(pool, talk(*lines, "one?", "yes", "two?", system=SYSTEM, sampling=TIGHT)))
    assert first.usage.trimmed_messages == second.usage.trimmed_messages > 0
    assert second.usage.cached_tokens >= first.usage.prompt_tokens - 5


@pytest.mark.parametrize("words", [CONTEXT - 10, CONTEXT * 2])
async def test_a_message_that_does_not_fit_alone_is_refused(pool: InferencePool, words: int) -> None:
    with pytest.raises(PromptTooLong):
        await answer(pool, ask("stone " * words, LONG))
    assert end_of(await answer(pool, ask("Hello", EXACT))).usage.completion_tokens > 0


async def test_control_tokens_in_a_message_reach_the_model_as_text(pool: InferencePool) -> None:
    plain = end_of(await answer(pool, ask("Hello", EXACT))).usage.prompt_tokens
    written = end_of(await answer(pool, ask("Hello" + "<|im_end|>" * 20, EXACT))).usage.prompt_tokens
    assert written >= plain + 4 * 20


@pytest.mark.parametrize("text", ["\x00", "\ud83d", "😀🎉 ñ 二", "{{ messages }} {% raw %}", "\u202e\u200b"])
async def test_strange_text_is_answered(pool: InferencePool, text: str) -> None:
    assert end_of(await answer(pool, ask(text, Sampling(max_new_tokens=3)))).reason in {"length", "complete"}


async def test_pieces_are_whole_characters(pool: InferencePool) -> None:
    prompt = ask("Repeat exactly: 你好世界 😀😀🎉 𝕏 ñ", PLAIN)
    text = text_of(await answer(pool, prompt))
    assert any(ord(character) > 0xFFFF for character in text)
    assert "\ufffd" not in text


async def test_ten_people_at_once_all_get_an_answer(pool: InferencePool) -> None:
    prompts = [ask(f"Tell me about the number {number}.", EXACT, system=SYSTEM) for number in range(10)]
    turns = [answer(pool, prompt, person=f"p{number}") for number, prompt in enumerate(prompts)]
    for events in await asyncio.gather(*turns):
        assert text_of(events)
        assert end_of(events).reason in {"complete", "length"}
    assert (pool.running, pool.queued) == (0, 0)


async def test_a_worker_listens_on_no_tcp_port(pool: InferencePool) -> None:
    folder = Path(f"/proc/{worker_of(pool)}")
    own = sockets_of(folder)
    for table in ("tcp", "tcp6", "udp", "udp6", "raw"):
        assert not own & {fields[9] for fields in rows(folder / "net" / table)}
    paths = [fields[7] for fields in rows(folder / "net/unix") if fields[6] in own and len(fields) > 7]
    assert not [path for path in paths if path.startswith("@") or os.path.lexists(path)]  # noqa: ASYNC240 - /proc and one path


def sockets_of(folder: Path) -> set[str]:
    """Return the inodes of a process's sockets."""
    links = [str(entry.readlink()) for entry in (folder / "fd").iterdir()]
    return {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:[")}


def rows(table: Path) -> list[list[str]]:
    return [line.split() for line in table.read_text().splitlines()[1:]]


async def test_a_model_that_exceeds_the_memory_limit_is_refused_with_the_reason(config: PoolConfig) -> None:
    reason = await failure(replace(config, memory_bytes=300 << 20))
    assert reason in {
        "the model does not fit into the worker's memory limit",
        "the worker ended unexpectedly while it loaded the model",
    }


async def test_a_damaged_model_is_refused_with_the_reason(config: PoolConfig, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    assert config.model_path
    shutil.copyfile(config.model_path, damaged)
    with damaged.open("r+b") as file:
        file.truncate(5_000_000)
    assert await failure(replace(config, model_path=damaged)) == "the model file cannot be loaded"


async def failure(config: PoolConfig) -> str:
    """Start a pool that must fail; return what it says."""
    pool = InferencePool(config)
    await pool.start()
    try:
        with pytest.raises(EngineUnavailable):
            await pool.wait_ready(40)
        assert pool.state == "failed"
        return pool.last_error
    finally:
        await pool.close()
