from __future__ import annotations

import asyncio
import contextlib

import pytest

from inference.admission import Admission, AdmissionLimits
from inference.engine import ModelInfo, Queued
from inference.errors import Busy, PromptTooLong, QueueFull, QueueTimeout, RateLimited
from inference.pool import InferencePool
from inference.queueing import Claim
from tests.inference.support import answer, ask, end_of, open_pool, read, scripted, talk, until


async def test_a_person_with_a_turn_is_refused_a_second_one() -> None:
    pool = InferencePool(scripted())
    with pool.admit(tenant="north", person="ann"):
        with pytest.raises(Busy) as refusal:
            pool.admit(tenant="north", person="ann")
        assert refusal.value.retry_after_ms
    pool.admit(tenant="north", person="ann").release()


async def test_the_same_name_in_another_tenant_is_another_person() -> None:
    pool = InferencePool(scripted())
    with pool.admit(tenant="north", person="ann"), pool.admit(tenant="south", person="ann"):
        pass


async def test_a_setting_allows_more_turns_per_person() -> None:
    pool = InferencePool(scripted(limits=AdmissionLimits(running_per_person=2)))
    with (
        pool.admit(tenant="north", person="ann"),
        pool.admit(tenant="north", person="ann"),
        pytest.raises(Busy),
    ):
        pool.admit(tenant="north", person="ann")


async def test_the_sixth_turn_within_a_minute_is_refused_with_the_time_to_wait() -> None:
    pool = InferencePool(scripted(limits=AdmissionLimits()))
    for _ in range(5):
        pool.admit(tenant="north", person="ann").release()
    with pytest.raises(RateLimited) as refusal:
        pool.admit(tenant="north", person="ann")
    assert refusal.value.retry_after_ms is not None
    assert 50_000 < refusal.value.retry_after_ms <= 60_000
    pool.admit(tenant="north", person="bob").release()


async def test_attempts_refused_as_busy_do_not_use_up_the_rate() -> None:
    pool = InferencePool(scripted(limits=AdmissionLimits(rate_per_minute=2)))
    with pool.admit(tenant="north", person="ann"):
        for _ in range(5):
            with pytest.raises(Busy):
                pool.admit(tenant="north", person="ann")
    pool.admit(tenant="north", person="ann").release()
    with pytest.raises(RateLimited):
        pool.admit(tenant="north", person="ann")


async def test_attempts_refused_for_a_full_queue_do_not_use_up_the_rate() -> None:
    pool = InferencePool(scripted(slots=1, limits=AdmissionLimits(rate_per_minute=1, queue_length=0)))
    with pool.admit(tenant="north", person="ann"):
        for _ in range(3):
            with pytest.raises(QueueFull) as refusal:
                pool.admit(tenant="north", person="bob")
            assert refusal.value.retry_after_ms is not None
    pool.admit(tenant="north", person="bob").release()


async def test_a_ticket_gives_its_place_back_once() -> None:
    pool = InferencePool(scripted(limits=AdmissionLimits(running_per_person=2)))
    first = pool.admit(tenant="north", person="ann")
    second = pool.admit(tenant="north", person="ann")
    first.release()
    first.release()
    pool.admit(tenant="north", person="ann")
    with pytest.raises(Busy):
        pool.admit(tenant="north", person="ann")
    second.release()


async def test_an_error_inside_the_block_gives_the_place_back() -> None:
    pool = InferencePool(scripted())
    with pytest.raises(KeyError), pool.admit(tenant="north", person="ann"):
        raise KeyError
    pool.admit(tenant="north", person="ann").release()


async def test_a_ticket_is_good_for_one_turn_only() -> None:
    async with open_pool(scripted()) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            await read(pool, ticket, ask("Hello 1"))
            with pytest.raises(RuntimeError):
                await read(pool, ticket, ask("Hello 1"))
        with pytest.raises(RuntimeError):
            await read(pool, ticket, ask("Hello 1"))


async def test_who_waits_too_long_is_told_so_and_the_others_go_on() -> None:
    limits = AdmissionLimits(queue_timeout_s=0.15, rate_per_minute=100)
    async with open_pool(scripted(slots=1, scripted_ms=10, limits=limits)) as pool:
        long = asyncio.create_task(answer(pool, ask("Hello 60"), person="ann"))
        await until(lambda: pool.running == 1)
        with pytest.raises(QueueTimeout) as refusal:
            await answer(pool, ask("Hello"), person="bob")
        assert refusal.value.retry_after_ms is not None
        assert pool.queued == 0
        assert end_of(await long).reason == "complete"


async def test_a_message_that_cannot_fit_is_refused_before_it_reaches_a_worker() -> None:
    async with open_pool(scripted()) as pool:
        with pytest.raises(PromptTooLong):
            await answer(pool, ask("x" * 600_001))
        with pytest.raises(PromptTooLong):
            await answer(pool, ask("word " * 2000))
        assert (pool.running, pool.queued) == (0, 0)


async def test_history_of_any_size_is_cut_before_it_reaches_a_worker() -> None:
    huge = "x" * 400_000
    model = ModelInfo(name="scripted", digest="", context_tokens=100_000)
    async with open_pool(scripted(model=model)) as pool:
        end = end_of(await answer(pool, talk(huge, huge, "short 1", system="be kind")))
    assert (end.usage.trimmed_messages, end.usage.prompt_tokens) == (2, 4)


async def test_who_waits_is_told_the_place_and_an_estimate() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=5)) as pool:
        first = asyncio.create_task(answer(pool, ask("Hello 20"), person="ann"))
        await until(lambda: pool.running == 1)
        second = asyncio.create_task(answer(pool, ask("Hello 20"), person="bob"))
        await until(lambda: pool.queued == 1)
        third = await answer(pool, ask("Hello 1"), person="cem")
        places = [event for event in third if isinstance(event, Queued)]
        assert [place.position for place in places] == [2, 1]
        assert all(place.eta_ms > 0 for place in places)
        assert end_of(third).timings.queue_ms > 100
        await asyncio.gather(first, second)


@pytest.mark.parametrize(
    "limits",
    [{"rate_per_minute": 0}, {"running_per_person": 0}, {"queue_length": -1}, {"queue_timeout_s": 0}],
)
def test_limits_that_admit_nobody_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each limit has its own text
        AdmissionLimits(**limits)


def filled(limits: AdmissionLimits, **tenants: int) -> Admission:
    """Return an admission in which tenants in turn have taken as many places as they could, up to a number each."""
    admission = Admission(limits, slots=4)
    admission.others_may_come = True
    for number in range(max(tenants.values())):
        for tenant, wanted in tenants.items():
            if number < wanted:
                with contextlib.suppress(QueueFull):
                    admission.take(Claim(tenant, f"p{number}"), turn_ms=int, place_ms=int)
    return admission


def test_a_flood_of_one_tenant_takes_three_quarters_of_all_places() -> None:
    limits = AdmissionLimits(queue_length=36)
    assert filled(limits, north=100).tickets == 30


@pytest.mark.parametrize("floods", [1, 2, 5, 12])
def test_however_many_tenants_flood_another_one_still_finds_a_place(floods: int) -> None:
    admission = filled(
        AdmissionLimits(queue_length=36), **{f"flood{number}": 100 for number in range(floods)}
    )
    admission.take(Claim("south", "ann"), turn_ms=int, place_ms=int)


def test_the_only_tenant_takes_every_place() -> None:
    admission = Admission(AdmissionLimits(queue_length=6), slots=4)
    for number in range(10):
        admission.take(Claim("north", f"p{number}"), turn_ms=int, place_ms=int)
    with pytest.raises(QueueFull):
        admission.take(Claim("north", "late"), turn_ms=int, place_ms=int)


def test_who_is_gone_leaves_nothing_behind_in_the_count() -> None:
    admission = Admission(AdmissionLimits(), slots=1)
    admission.take(Claim("north", "ann"), turn_ms=int, place_ms=int)
    admission.give_back(Claim("north", "ann"))
    assert admission.tickets == 0
