from __future__ import annotations

import pytest

from inference.errors import EngineUnavailable
from inference.pool import InferencePool
from tests.inference.support import ask, open_pool, scripted


async def test_tokens_are_counted_by_the_engine_itself() -> None:
    async with open_pool(scripted()) as pool:
        assert await pool.count_tokens(ask("one two three", system="four five")) == 5


async def test_counting_without_an_engine_says_so() -> None:
    pool = InferencePool(scripted())
    await pool.start()
    await pool.close()
    with pytest.raises(EngineUnavailable):
        await pool.count_tokens(ask("one"))
