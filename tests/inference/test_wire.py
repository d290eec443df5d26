from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from inference.engine import (
    LayerCheck,
    Origin,
    Outcome,
    Sampling,
    ThreadTrial,
    Usage,
    WorkerReport,
    WorkerSpec,
)
from inference.wire import (
    MAX_FROM_WORKER,
    Broken,
    Cancel,
    Count,
    Counted,
    Ended,
    Forget,
    FromWorker,
    LineSplitter,
    Open,
    Progress,
    Ready,
    Refused,
    Run,
    Text,
    ToWorker,
    WireError,
    decode_from_worker,
    decode_to_worker,
    encode_from_worker,
    encode_to_worker,
)
from tests.inference.support import talk

SPEC = WorkerSpec("scripted", "", 2048, 4, 0, 0, 20.0)
REPORT = WorkerReport(
    "llamacpp", "library 1", 2, (ThreadTrial(1, 36.5, 35.0),), (LayerCheck("seccomp", "tcp", True, "EPERM"),)
)
SAMPLING = Sampling(stop=("a", "b"), seed=3)


@pytest.mark.parametrize(
    "message",
    [
        Open(SPEC),
        Run(7, talk("hé\n\x00", "二", "\u2028end", system="s", sampling=SAMPLING)),
        Cancel(7),
        Count(7, replace(talk("a"), origin=Origin("north", "ann", "c1"))),
        Forget(Origin("north")),
    ],
)
def test_what_the_pool_says_arrives_as_it_was_on_one_line(message: ToWorker) -> None:
    line = encode_to_worker(message)
    assert line.index(b"\n") == len(line) - 1
    assert decode_to_worker(line) == message


@pytest.mark.parametrize(
    "message",
    [
        Ready(REPORT),
        Counted(7, 41),
        Broken("model_invalid"),
        Broken("cage_incomplete", REPORT.cage),
        Progress(7, 24, 100),
        Text(7, "two\nlines 😀"),
        Ended(7, Outcome("length", Usage(1, 2, 3, 4), 9.5)),
        Refused(7, "too_long"),
    ],
)
def test_what_the_worker_says_arrives_as_it_was_on_one_line(message: FromWorker) -> None:
    line = encode_from_worker(message)
    assert line.index(b"\n") == len(line) - 1
    assert decode_from_worker(line) == message


@pytest.mark.parametrize(
    "message",
    [
        None,
        {},
        [],
        ["no such"],
        ["text", "7", "x"],
        ["text", 7],
        ["text", 7, None],
        ["progress", 7, 1.5, 2],
        ["ended", 7, "whatever", {}, 0.0],
        ["ended", 7, "complete", {"prompt_tokens": "1"}, 0.0],
        ["ended", 7, "complete", {"surprise": 1}, 0.0],
        ["ended", 7, "complete", {}, "fast"],
        ["refused", 7, "<b>no</b>"],
        ["ready", 1],
        ["ready", {}],
        ["ready", asdict(replace(REPORT, backend="x" * 201))],
        ["ready", asdict(REPORT) | {"threads": "2"}],
        ["ready", asdict(REPORT) | {"cage": [{"layer": "l", "attempt": "a", "holds": "no", "detail": ""}]}],
        ["ready", asdict(REPORT) | {"library": "\x1b[2Jlibrary"}],
        ["broken", "cage_incomplete", [{"layer": "l", "attempt": "a", "holds": 1, "detail": ""}]],
        ["broken", "cage_incomplete", [1]],
        ["counted", 1, "many"],
        ["counted", 1, -2],
        ["text", 7, ""],
        ["progress", 7, -1, 5],
        ["progress", 7, 1, 2**31],
        ["ended", 7, "complete", {"completion_tokens": 2**31}, 0.0],
        *(["ended", 7, "complete", {}, pace] for pace in (10**400, float("nan"), float("inf"), -1.0)),
        *(["ready", asdict(REPORT) | {"threads": threads}] for threads in (-1, 5000, True)),
        ["ready", asdict(REPORT) | {"engine": "no such"}],
        *(
            ["ready", asdict(REPORT) | {"trials": [{"threads": 1, "quiet": pace, "busy": 1}]}]
            for pace in (10**400, float("nan"), float("inf"), "fast")
        ),
        ["ready", asdict(REPORT) | {"trials": [{"threads": float("inf"), "quiet": 1, "busy": 1}]}],
    ],
)
def test_what_is_no_message_of_a_worker_is_refused(message: Any) -> None:
    with pytest.raises(WireError):
        decode_from_worker(json.dumps(message).encode())


@pytest.mark.parametrize(
    "message",
    [
        ["open", {"engine": "scripted"}],
        ["run", 1, [], {"stop": []}, {}],
        ["run", 1, [["user", "x"]], {}, {}],
        ["run", 1, [["user"]], {"stop": []}, {}],
        ["run", 1, [["user", "x"]], {"stop": [], "surprise": 1}, {}],
        ["run", 1, [["user", "x"]], {"stop": []}, {"surprise": 1}],
        ["forget", {"surprise": 1}],
        ["cancel", None],
    ],
)
def test_what_is_no_message_of_the_pool_is_refused(message: Any) -> None:
    with pytest.raises(WireError):
        decode_to_worker(json.dumps(message).encode())


def test_an_error_never_quotes_what_was_sent() -> None:
    with pytest.raises(WireError) as error:
        decode_from_worker(b'["text",1,"secret plan"')
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


def test_lines_are_cut_wherever_the_stream_is() -> None:
    splitter = LineSplitter(100)
    assert [splitter.feed(part) for part in (b"a", b"b\nc", b"\n\nd", b"\n")] == [
        [],
        [b"ab"],
        [b"c", b""],
        [b"d"],
    ]


@pytest.mark.parametrize("stream", [[b"x" * 101], [b"x" * 60, b"x" * 60], [b"x" * 101 + b"\n"]])
def test_a_line_beyond_the_limit_is_refused(stream: list[bytes]) -> None:
    splitter = LineSplitter(100)
    *first, last = stream
    for part in first:
        assert splitter.feed(part) == []
    with pytest.raises(WireError):
        splitter.feed(last)


def test_a_message_beyond_the_limit_is_not_sent() -> None:
    with pytest.raises(WireError):
        encode_from_worker(Text(1, "x" * MAX_FROM_WORKER))
