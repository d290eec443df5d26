"""The parts of the inference benchmark that need no model: what is judged, and how figures come from what was seen."""

from __future__ import annotations

import pytest

from benchmarks._figures import BenchmarkError
from benchmarks._inference_long import Found, _rows, gaps
from benchmarks._inference_people import estimate_errors
from benchmarks._inference_pool import Told, together
from benchmarks._inference_speed import _loss, missing
from benchmarks._report import Goal, Row, summary
from inference.engine import Finished, Timings, Usage

NAN = float("nan")


def row(value: float, *, plausible: tuple[float, float] | None = None) -> Row:
    return Row(figure="f", value=value, unit="%", goal=Goal("≤", 35), plausible=plausible)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(30, "met"), (40, "MISSED"), (-5, "met"), (-225, "INVALID"), (101, "INVALID"), (NAN, "not measured")],
)
def test_a_figure_that_cannot_be_meets_no_goal(value: float, verdict: str) -> None:
    judged = row(value, plausible=(-10, 100))
    assert judged.verdict == verdict
    assert judged.is_met == (verdict == "met")
    assert judged.cells()[-1] == verdict


def test_a_ratio_that_is_missing_meets_no_goal() -> None:
    judged = Row(figure="f", value=1, unit="/s", goal=Goal("≥", 0.5, of="ratio"))
    assert judged.verdict == "not measured"


def test_a_row_without_a_goal_is_not_judged() -> None:
    assert Row(figure="f", value=NAN, unit="/s").verdict == ""


def test_an_engine_that_is_not_built_meets_no_goal() -> None:
    assert (
        missing("one stream, native", Goal("≥", 0.8, of="ratio"), why="not built").verdict == "not measured"
    )


def test_a_stream_that_gains_by_a_busy_process_is_invalid() -> None:
    assert _loss([20.0], [65.0]).verdict == "INVALID"
    assert _loss([60.0, 61.0], [42.0, 41.0]).verdict == "met"
    assert _loss([60.0], [6.0]).verdict == "MISSED"


def test_the_last_line_tells_what_could_not_be_judged() -> None:
    rows = [row(1), row(99), row(NAN), row(-225, plausible=(-10, 100)), Row(figure="f", value=1, unit="")]
    assert summary(rows) == "goals met: 1 of 4; 1 invalid; 1 not measured"


def told(stamps: list[float], *, ended: float, tokens: int = 0) -> Told:
    finished = Finished("length", Usage(4, tokens or len(stamps)), Timings())
    return Told(0.0, stamps=stamps, ended=ended, finished=finished)


def test_streams_are_counted_while_all_of_them_speak() -> None:
    long = told([0.5 * step for step in range(1, 21)], ended=10)
    short = told([3.0, 4.0, 5.0, 6.0], ended=6, tokens=8)
    # From 3 to 6 seconds: six of the long one's pieces, three of the short one's four, of two tokens each.
    assert together([long, short]) == pytest.approx((6 + 6) / 3)


def test_streams_that_do_not_overlap_are_no_figure() -> None:
    with pytest.raises(BenchmarkError):
        together([told([1.0], ended=2), told([3.0], ended=4)])


def test_gaps_are_those_that_end_in_the_time() -> None:
    assert gaps([0.0, 1.0, 3.0, 6.0], 0.5, 3.5) == [1.0, 2.0]
    assert gaps([], 0, 1) == []


def test_an_estimate_is_judged_by_the_first_one_told_and_by_the_wait() -> None:
    people = [
        Told(0.0, estimates=[2.0, 3.9], waited_s=4.0),
        Told(0.0, estimates=[0.1], waited_s=0.2),
        Told(0.0, waited_s=1.0),
    ]
    assert estimate_errors(people) == [0.5]
    with pytest.raises(BenchmarkError):
        estimate_errors(people[1:])


def test_a_long_prompt_is_judged_only_if_it_was_long() -> None:
    found = Found(before=[0.03] * 50, during=[0.05] * 50, first_s=20, alone_s=8, prompt_tokens=2020)
    assert _rows("gap", found)[0].verdict == "met"
    assert _rows("gap", Found([0.03] * 50, [0.07] * 50, 20, 8, 2020))[0].verdict == "MISSED"
    assert _rows("gap", Found([0.03] * 50, [0.05] * 50, 20, 8, 300))[0].verdict == "INVALID"
    assert _rows("gap", Found([0.03] * 50, [0.05] * 5, 20, 8, 2020))[0].verdict == "INVALID"
