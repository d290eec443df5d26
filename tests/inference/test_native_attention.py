"""The native build's own attention finds the same scores as the library without flash attention."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.engines.choice import fits_here

if not fits_here():
    pytest.skip("the native engine is not built", allow_module_level=True)

from inference.engines.native import context as contexts
from inference.engines.native.bindings import open_library
from inference.engines.native.context import Context
from inference.engines.native.model import Model

# Beyond 512 keys one token is shared out among threads by keys; beyond 16 rows by rows.
LENGTHS = (1, 5, 16, 17, 70, 600)


@pytest.fixture(scope="module")
def model(starter_model: Path) -> Model:
    return Model(open_library(), starter_model)


def scores(model: Model, *, flash: int, length: int, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float32]:
    """Return what comes after two interleaved sequences, of their last tokens together and of one of them alone."""
    library = open_library()
    monkeypatch.setattr(contexts, "_FLASH_ATTENTION", flash)
    context = Context(library, model, slots=2, tokens=1024, spare=(1, 64), batch=256, threads=2)
    random = np.random.default_rng(length)
    tokens = [[int(token) for token in random.integers(100, 10_000, length)] for _ in range(2)]
    found = []
    for begin in range(0, length, 64):
        context.clear_batch()
        rows = [
            context.add_all(tokens[slot][begin : begin + 64], position=begin, slot=slot, speaks=True)
            for slot in range(2)
        ]
        assert context.decode()
        found = [np.array(context.scores(row)[: model.size]) for row in rows]
    context.clear_batch()
    row = context.add(7, position=length, slot=1, speaks=True)
    assert context.decode()
    found.append(np.array(context.scores(row)[: model.size]))
    library.llama_free(context.handle)
    return np.array(found)


@pytest.mark.parametrize("length", LENGTHS)
def test_our_attention_agrees_with_the_plain_one(
    model: Model, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = scores(model, flash=1, length=length, monkeypatch=monkeypatch)
    plain = scores(model, flash=0, length=length, monkeypatch=monkeypatch)
    assert np.isfinite(ours).all()
    assert np.abs(ours - plain).max() < 0.05 * np.abs(plain).max()
    for mine, theirs in zip(ours, plain, strict=True):
        assert np.corrcoef(mine, theirs)[0, 1] > 0.995
