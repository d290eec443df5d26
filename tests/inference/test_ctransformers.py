"""Run old files for real: the starter model as of 2023, and a GPT-2 in GGML."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import gguf
import pytest
import pytest_asyncio

from inference.engine import (
    ChatMessage,
    Event,
    LoadError,
    ModelInfo,
    Origin,
    Piece,
    Prompt,
    Sampling,
    Started,
)
from inference.engines.layouts import Vocabulary, choose_layout
from inference.engines.oldfiles import read_old_file
from inference.errors import EngineUnavailable, PromptTooLong, RequestUnsupported
from inference.pool import InferencePool, PoolConfig
from tests.inference.oldfiles import write_2023, write_gpt2
from tests.inference.support import GENEROUS, answer, ask, end_of, open_pool, talk, text_of, until, worker_of

pytestmark = pytest.mark.model
with_pool = pytest.mark.asyncio(loop_scope="module")

CONTEXT = 512
PLAIN = Sampling(temperature=0, max_new_tokens=24, repeat_penalty=1.0)
LONG = Sampling(temperature=0, max_new_tokens=200)
SYSTEM = "You are a helpful assistant."
CAPITAL = "What is the capital of France?"


def config_for(path: Path, *, architecture: str = "", context: int = CONTEXT) -> PoolConfig:
    info = ModelInfo(name="old", digest="", context_tokens=context, architecture=architecture)
    return PoolConfig(path, info, "ctransformers", slots=1, limits=GENEROUS)


@pytest.fixture(scope="module")
def old_model(starter_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("old") / "starter-2023.gguf"
    write_2023(starter_model, path)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(old_model: Path) -> AsyncIterator[InferencePool]:
    async with open_pool(config_for(old_model)) as opened:
        yield opened


@with_pool
async def test_an_old_file_answers_with_real_words(pool: InferencePool) -> None:
    events = await answer(pool, ask(CAPITAL, PLAIN, system=SYSTEM))
    assert text_of(events) == "The capital of France is Paris."
    end = end_of(events)
    assert (end.reason, end.usage.completion_tokens) == ("complete", 7)
    assert sum(isinstance(event, Piece) for event in events) > 1
    report = pool.report
    assert report is not None
    assert (report.engine, report.backend) == ("ctransformers", "ctransformers 0.2.27")


@with_pool
async def test_marks_in_a_question_are_text_and_count_as_such(pool: InferencePool) -> None:
    """A mark is one token; the same letters as text are several."""
    plain, marked = [await pool.count_tokens(ask(text)) for text in ("a b", "a<|im_end|>b")]
    assert marked > plain + 3


@with_pool
async def test_a_stop_text_ends_the_answer_before_it(pool: InferencePool) -> None:
    events = await answer(pool, ask(CAPITAL, replace(PLAIN, stop=("France is",)), system=SYSTEM))
    assert text_of(events) == "The capital of "
    assert end_of(events).reason == "complete"


@with_pool
async def test_a_seed_repeats_an_answer_and_another_seed_does_not(pool: InferencePool) -> None:
    tales = [
        text_of(
            await answer(
                pool, ask("Tell me a tale.", Sampling(seed=seed, max_new_tokens=24, temperature=1.5))
            )
        )
        for seed in (1, 1, 2)
    ]
    assert tales[0] == tales[1] != tales[2]


@with_pool
async def test_a_second_turn_reads_only_what_is_new(pool: InferencePool) -> None:
    first = await answer(pool, ask(CAPITAL, PLAIN, system=SYSTEM))
    further = talk(CAPITAL, text_of(first), "And of Spain?", system=SYSTEM, sampling=PLAIN)
    usage = end_of(await answer(pool, further)).usage
    assert usage.cached_tokens > usage.prompt_tokens // 2


@with_pool
async def test_nothing_of_one_persons_text_serves_another(pool: InferencePool) -> None:
    secret = ask("The code word is heron. " * 8, PLAIN, system=SYSTEM)
    cached = [
        end_of(await answer(pool, secret, tenant=tenant, person=person)).usage.cached_tokens
        for tenant, person in (("north", "cid"), ("north", "cid"), ("north", "ben"), ("south", "ben"))
    ]
    assert cached[1] > 20
    assert cached[0] == cached[2] == cached[3] == 0


@with_pool
async def test_what_is_to_be_forgotten_is_read_anew(pool: InferencePool) -> None:
    prompt = replace(ask("Remember the grey heron.", PLAIN), origin=Origin(conversation="c1"))
    await answer(pool, prompt)
    pool.forget(Origin("north", "ann", "another"))
    assert end_of(await answer(pool, prompt)).usage.cached_tokens > 0
    pool.forget(Origin("north", "ann", "c1"))
    assert end_of(await answer(pool, prompt)).usage.cached_tokens == 0


@with_pool
async def test_history_that_does_not_fit_is_left_out(pool: InferencePool) -> None:
    lines = [word for at in range(30) for word in (f"Question {at} " + "and so on " * 8, "Yes.")]
    end = end_of(await answer(pool, talk(*lines, "And now?", sampling=PLAIN)))
    assert 0 < end.usage.trimmed_messages < 60
    assert end.usage.prompt_tokens <= CONTEXT - 24


@with_pool
async def test_a_message_that_alone_does_not_fit_is_refused(pool: InferencePool) -> None:
    with pytest.raises(PromptTooLong):
        await answer(pool, ask("many words " * 400, PLAIN))


@with_pool
async def test_an_answer_in_a_schema_is_refused_by_name(pool: InferencePool) -> None:
    with pytest.raises(RequestUnsupported):
        await answer(pool, ask("Name a bird.", replace(PLAIN, json_schema='{"type": "object"}')))


@with_pool
async def test_a_stop_takes_effect_inside_the_prompt_and_inside_the_answer(pool: InferencePool) -> None:
    for prompt, first in (
        (ask("many words " * 150, LONG), Started),
        (ask("Count to a thousand.", LONG), Piece),
    ):
        with pool.admit(tenant="north", person="ann") as ticket:
            events: list[Event] = []
            async for event in pool.generate(ticket, prompt):
                events.append(event)
                if isinstance(event, first):
                    ticket.stop()
        assert end_of(events).reason == "stopped"
        await until(lambda: pool.running == 0, within_s=5)


async def test_a_ggml_file_of_the_first_format_runs(tmp_path: Path) -> None:
    write_gpt2(tmp_path / "gpt2.bin")
    async with open_pool(config_for(tmp_path / "gpt2.bin", architecture="gpt2", context=256)) as pool:
        end = end_of(await answer(pool, ask("Hello", Sampling(max_new_tokens=12, temperature=0))))
        assert end.usage.completion_tokens == 12
        assert end.usage.prompt_tokens == len("User: Hello\nAssistant:")


def write_header(path: Path, architecture: str) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_token_list(["a", "b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("architecture", "reason"), [("qwen2", "does not know the architecture qwen2"), ("mamba", "not this one")]
)
async def test_what_the_library_cannot_run_is_refused_by_name(
    architecture: str, reason: str, tmp_path: Path
) -> None:
    pool = InferencePool(config_for(write_header(tmp_path / "new.gguf", architecture)))
    await pool.start()
    try:
        with pytest.raises(EngineUnavailable):
            await pool.wait_ready(30)
        assert reason in pool.last_error
        assert "PORTAL_ENGINE=llamacpp" in pool.last_error
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("content", "architecture", "code"),
    [
        (b"", "gpt2", "model_invalid"),
        (b"lmgg", "", "ctransformers_unsupported"),
        (b"lmgg", "../../x", "ctransformers_unsupported"),
        (b"PK\x03\x04", "gpt2", "model_invalid"),
        (b"GGUF", "", "model_invalid"),
    ],
)
def test_what_is_no_old_file_never_reaches_the_library(
    content: bytes, architecture: str, code: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(LoadError) as error:
        read_old_file(tmp_path / "file", architecture=architecture)
    assert error.value.code == code


@pytest.mark.parametrize("place", [8, 1312])
async def test_a_damaged_file_costs_a_worker_and_not_the_portal(place: int, tmp_path: Path) -> None:
    """A context of two billion, and a tensor of as many dimensions."""
    path = tmp_path / "damaged.bin"
    write_gpt2(path)
    data = bytearray(path.read_bytes())
    data[place : place + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    pool = InferencePool(config_for(path, architecture="gpt2", context=256))
    await pool.start()
    try:
        with pytest.raises(EngineUnavailable):
            await pool.wait_ready(60)
        assert pool.last_error
    finally:
        await pool.close()


@with_pool
async def test_a_killed_worker_is_replaced(pool: InferencePool) -> None:
    os.kill(worker_of(pool), 9)
    await asyncio.sleep(0.1)
    await pool.wait_ready(30)
    assert "Paris" in text_of(await answer(pool, ask(CAPITAL, PLAIN, system=SYSTEM)))


def spell(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def test_llamas_without_marks_get_the_layout_of_llama_2() -> None:
    messages = tuple(
        ChatMessage(*pair) for pair in (("system", "S"), ("user", "A"), ("assistant", "B"), ("user", "C"))
    )
    layout = choose_layout(Vocabulary(spell, {}, begin=-1, end=-2), architecture="llama")
    laid = "".join({-1: "<s>", -2: "</s>"}.get(token) or chr(token) for token in layout.arrange(messages))
    assert laid == "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nA [/INST] B </s><s>[INST] C [/INST]"
    assert layout.ends == {-2}


def test_other_old_models_get_names_and_stop_before_the_next_one() -> None:
    layout = choose_layout(Vocabulary(spell, {}, begin=-1, end=-2), architecture="gpt2")
    messages = Prompt((ChatMessage("system", "S"), ChatMessage("user", "A"))).messages
    assert "".join(map(chr, layout.arrange(messages))) == "S\n\nUser: A\nAssistant:"
    assert layout.stops == ("\nUser:",)
