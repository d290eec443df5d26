"""The engine is the one that was named; by itself it is native where that was built for this processor."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import get_args

import pytest

from inference.engine import EngineName, LoadError, WorkerSpec
from inference.engines import choice, find_engine
from inference.engines.choice import choose_engine, fits_here, processor


@pytest.mark.parametrize("name", get_args(EngineName))
def test_an_engine_that_is_named_is_taken(name: EngineName) -> None:
    assert choose_engine(name) == name


@pytest.mark.parametrize(("fits", "chosen"), [(True, "native"), (False, "llamacpp")])
def test_native_is_chosen_by_itself_where_it_fits(
    monkeypatch: pytest.MonkeyPatch, fits: bool, chosen: str
) -> None:
    monkeypatch.setattr(choice, "fits_here", lambda: fits)
    assert choose_engine("auto") == chosen


def test_a_build_for_another_processor_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())
    stamp = tmp_path / ".native"
    assert not fits_here(stamp)
    stamp.write_text(processor()[::-1] + "\n")
    assert not fits_here(stamp)
    stamp.write_text(processor() + "\n")
    assert fits_here(stamp)


def test_a_stamp_without_the_library_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    stamp = tmp_path / ".native"
    stamp.write_text(processor())
    assert not fits_here(stamp)


def test_an_engine_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inference.engines.native.engine", None)
    with pytest.raises(LoadError) as missing:
        find_engine(WorkerSpec("native", "/nowhere", 512, 1, 0, 0, 0))
    assert missing.value.code == "engine_missing"


def test_a_ggml_file_gets_the_engine_that_reads_it() -> None:
    assert choose_engine("auto", file_format="ggml") == "ctransformers"
    assert choose_engine("llamacpp", file_format="ggml") == "llamacpp"
