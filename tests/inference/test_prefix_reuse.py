"""What one person wrote is never used again for another, and not even for themselves once it is forgotten."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from inference.engine import Origin, Prompt, Sampling
from inference.errors import EngineFailed
from inference.pool import InferencePool
from tests.inference.support import answer, ask, config_for, end_of, open_pool, text_of

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

SYSTEM = "You are a helpful assistant."
# Tokens of the system prompt and of what the template writes before the first message.
HEAD = 20
SHORT = Sampling(temperature=0, max_new_tokens=2)
SECRET = ask("My secret number is 4711, and my cat is called Zerberus. " * 3, SHORT, system=SYSTEM)
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "known": {"type": "boolean"}},
        "required": ["city", "known"],
        "additionalProperties": False,
    }
)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["llamacpp", "native"])
async def pool(starter_model: Path, request: pytest.FixtureRequest) -> AsyncIterator[InferencePool]:
    async with open_pool(config_for(starter_model, request.param)) as opened:
        yield opened


async def cached(pool: InferencePool, prompt: Prompt, *, tenant: str = "north", person: str = "ann") -> int:
    origin = Origin(tenant, person, "one")
    events = await answer(pool, replace(prompt, origin=origin), tenant=tenant, person=person)
    return end_of(events).usage.cached_tokens


async def test_the_same_person_uses_their_own_work_again_and_nobody_else_does(pool: InferencePool) -> None:
    await cached(pool, SECRET)
    assert await cached(pool, SECRET) > 2 * HEAD
    # More strangers than slots, so that each slot that held the text is handed over.
    for number in range(5):
        assert await cached(pool, SECRET, person=f"stranger {number}") <= HEAD
    assert await cached(pool, SECRET, tenant="south") <= HEAD


async def test_what_was_forgotten_is_read_anew(pool: InferencePool) -> None:
    await cached(pool, SECRET, person="eve")
    assert await cached(pool, SECRET, person="eve") > 2 * HEAD
    assert await cached(pool, SECRET, person="fay") <= HEAD
    pool.forget(Origin("north", "eve"))
    assert await cached(pool, SECRET, person="eve") <= HEAD
    assert await cached(pool, SECRET, person="fay") > 2 * HEAD


async def test_the_time_to_the_first_word_tells_nobody_what_another_person_asked(pool: InferencePool) -> None:
    """The same long text is quick for who wrote it, and as slow as new for everybody else, and once it is erased."""
    text = ask(" ".join(f"Heron number {n} stands in the reeds." for n in range(60)), SHORT, system=SYSTEM)

    async def first_ms(person: str) -> int:
        origin = Origin("north", person, "one")
        events = await answer(pool, replace(text, origin=origin), person=person)
        return end_of(events).timings.first_token_ms

    new, again, other = await first_ms("gil"), await first_ms("gil"), await first_ms("hal")
    pool.forget(Origin("north", "gil"))
    erased = await first_ms("gil")
    assert again < new / 3
    assert min(other, erased) > 2 * again


async def test_a_canary_of_one_person_is_in_no_answer_to_another(pool: InferencePool) -> None:
    greedy = Sampling(temperature=0, max_new_tokens=40)
    await cached(pool, ask("Remember my code word: ZERBERUS-4711.", greedy, system=SYSTEM), person="ida")
    for person in ("jon", "kim", "leo", "mia", "ned"):  # more than there are slots
        said = await answer(pool, ask("Repeat my code word.", greedy, system=SYSTEM), person=person)
        assert "4711" not in text_of(said)
        assert "ZERBERUS" not in text_of(said).upper()


async def test_an_answer_fits_its_json_schema(pool: InferencePool) -> None:
    sampling = Sampling(max_new_tokens=60, seed=1, json_schema=SCHEMA)
    said = json.loads(text_of(await answer(pool, ask("Name a city.", sampling, system=SYSTEM))))
    assert said.keys() == {"city", "known"}
    assert isinstance(said["known"], bool)


@pytest.mark.parametrize("schema", ["{", "[]", '{"type": "nonsense"}', '{"$ref": "https://example.org/x"}'])
async def test_a_schema_that_is_none_is_refused_and_harms_nobody(pool: InferencePool, schema: str) -> None:
    with pytest.raises(EngineFailed):
        await answer(pool, ask("Name a city.", Sampling(json_schema=schema)))
    assert end_of(await answer(pool, ask("Hello", SHORT))).usage.completion_tokens > 0


async def test_the_same_seed_says_the_same_and_another_one_something_else(pool: InferencePool) -> None:
    async def said(seed: int) -> str:
        sampling = Sampling(temperature=1.5, top_k=0, top_p=1, max_new_tokens=16, seed=seed)
        return text_of(await answer(pool, ask("Tell me a story.", sampling), person=f"p{seed}"))

    assert await said(1) == await said(1)
    assert await said(1) != await said(2)


async def test_of_one_likeliest_token_there_is_one_answer(pool: InferencePool) -> None:
    likeliest = Sampling(temperature=1.5, top_k=1, top_p=1, max_new_tokens=8, repeat_penalty=1)
    texts = [text_of(await answer(pool, ask("Tell me a story.", likeliest))) for _ in range(2)]
    assert texts[0] == texts[1]


async def test_a_conversation_that_lost_its_slot_comes_back_from_memory_for_its_own_person_only(
    starter_model: Path,
) -> None:
    config = replace(config_for(starter_model, "native"), slots=1, prefix_cache_bytes=64 << 20)
    async with open_pool(config) as small:
        await cached(small, SECRET)
        assert await cached(small, SECRET, person="bob") <= HEAD
        assert await cached(small, SECRET) > 2 * HEAD
        small.forget(Origin("north", "bob"))
        assert await cached(small, SECRET, person="bob") <= HEAD
