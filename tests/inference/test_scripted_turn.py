from __future__ import annotations

from dataclasses import replace

import pytest

from inference.engine import Finished, ModelInfo, Piece, Sampling, Started
from inference.errors import PromptTooLong
from inference.pool import SCRIPTED_MODEL, InferencePool, PoolConfig
from tests.inference.support import answer, ask, end_of, open_pool, scripted, talk, text_of


async def test_a_turn_starts_then_streams_then_finishes() -> None:
    async with open_pool(scripted()) as pool:
        events = await answer(pool, ask("Hello there 3"))
    assert isinstance(events[0], Started)
    assert all(isinstance(event, Piece) for event in events[1:-1])
    assert isinstance(events[-1], Finished)
    assert text_of(events) == "Hello there 3 word1 word2 word3"


async def test_figures_of_a_turn_are_counted_and_measured() -> None:
    async with open_pool(scripted(scripted_ms=10)) as pool:
        end = end_of(await answer(pool, ask("Hello there 3")))
    assert (end.reason, end.usage.prompt_tokens, end.usage.completion_tokens) == ("complete", 3, 6)
    assert 10 <= end.timings.first_token_ms < end.timings.total_ms
    assert end.timings.total_ms >= 60
    assert 20 < end.timings.tokens_per_second < 110


async def test_the_same_prompt_and_seed_give_the_same_words_and_another_seed_others() -> None:
    words = "one two three four five six seven"
    async with open_pool(scripted()) as pool:
        first, again, other = [
            text_of(await answer(pool, ask(words, Sampling(seed=seed)))) for seed in (1, 1, 2)
        ]
    assert first == again != other


async def test_an_answer_ends_at_the_tokens_asked_for() -> None:
    async with open_pool(scripted()) as pool:
        end = end_of(await answer(pool, ask("Hello", Sampling(max_new_tokens=5))))
    assert (end.reason, end.usage.completion_tokens) == ("length", 5)


async def test_the_pools_own_token_limit_caps_what_a_prompt_asks() -> None:
    async with open_pool(scripted(max_new_tokens=4)) as pool:
        end = end_of(await answer(pool, ask("Hello", Sampling(max_new_tokens=500))))
    assert (end.reason, end.usage.completion_tokens) == ("length", 4)


async def test_a_stop_text_ends_the_answer_before_it() -> None:
    async with open_pool(scripted()) as pool:
        events = await answer(pool, ask("Hello", Sampling(stop=("word3",))))
    assert text_of(events) == "Hello word1 word2"
    assert end_of(events).reason == "complete"


async def test_a_turn_that_takes_too_long_ends_with_what_it_has() -> None:
    async with open_pool(scripted(scripted_ms=20, wall_time_s=0.2)) as pool:
        events = await answer(pool, ask("Hello 500"))
        assert end_of(events).reason == "timeout"
        assert text_of(events).startswith("Hello 500 word1")
        assert text_of(await answer(pool, ask("Again 1"))) == "Again 1 word1"


async def test_a_long_history_is_trimmed_and_the_system_prompt_stays() -> None:
    old = "old " * 60
    prompt = talk(old, old, old, old, "newest question", system="system words stay")
    model = ModelInfo(name="scripted", digest="", context_tokens=200)
    async with open_pool(scripted(model=model, max_new_tokens=100)) as pool:
        end = end_of(await answer(pool, prompt))
    assert (end.usage.trimmed_messages, end.usage.prompt_tokens) == (4, 5)


async def test_a_slow_reader_gets_fewer_longer_pieces_and_the_whole_text() -> None:
    async with open_pool(scripted(scripted_ms=0)) as pool:
        events = await answer(pool, ask("go 400", Sampling(max_new_tokens=500)))
    assert text_of(events).endswith(" word400")
    assert sum(isinstance(event, Piece) for event in events) < 402


def test_a_scripted_engine_that_does_not_say_so_is_refused() -> None:
    with pytest.raises(ValueError, match="scripted"):
        PoolConfig(model_path=None, model=ModelInfo("Qwen", "", 2048), engine="scripted")


def test_an_engine_without_a_model_file_is_refused() -> None:
    with pytest.raises(ValueError, match="model file"):
        PoolConfig(model_path=None, model=SCRIPTED_MODEL, engine="llamacpp")


async def test_a_pool_that_is_never_started_closes() -> None:
    pool = InferencePool(scripted())
    await pool.close()
    assert pool.state == "closed"


async def test_a_prompt_has_no_more_tokens_than_allowed() -> None:
    config = replace(scripted(), max_prompt_tokens=6)
    async with open_pool(config) as pool:
        trimmed = end_of(await answer(pool, talk("one two three", "four five", "six seven 1"))).usage
        assert (trimmed.prompt_tokens, trimmed.trimmed_messages) == (3, 2)
        with pytest.raises(PromptTooLong):
            await answer(pool, ask("one two three four five six seven"))
