"""The native build's own routine for Q4_0 computes what llama.cpp's does."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.engines.choice import fits_here

OURS, THEIRS = "ggml_gemm_q4_0_8x8_q8_0", "ggml_gemm_q4_0_8x8_q8_0_upstream"
BLOCK = 32


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    if not fits_here():
        pytest.skip("the native engine is not built")
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    assert spec.submodule_search_locations
    library = ctypes.CDLL(str(Path(spec.submodule_search_locations[0]) / "lib" / "libggml-cpu.so"))
    if not hasattr(library, THEIRS):
        pytest.skip("not replaced on this kind of processor")
    return library


def random_blocks(random: np.random.Generator, groups: int, blocks: int, *, lanes: int, signed: bool) -> Any:
    """Return scales and values for groups of so many rows or columns."""
    made = np.zeros((groups, blocks), [("scales", "<f2", lanes), ("values", "i1" if signed else "u1", 128)])
    made["scales"] = random.normal(0, 0.01, made["scales"].shape)
    made["values"] = random.integers(*((-127, 128) if signed else (0, 256)), made["values"].shape)
    return made


def product(
    library: ctypes.CDLL, name: str, weights: Any, activations: Any, *, spare: int
) -> NDArray[np.float32]:
    columns, rows, depth = weights.shape[0] * 8, activations.shape[0] * 4, weights.shape[1] * BLOCK
    result = np.full((rows, columns + spare), 7, np.float32)
    getattr(library, name)(
        ctypes.c_int(depth),
        result.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_size_t(columns + spare),
        weights.ctypes.data_as(ctypes.c_void_p),
        activations.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int(rows),
        ctypes.c_int(columns),
    )
    return result


# Depths up to what is kept on the stack and beyond; rows that fill pairs of groups and not; columns likewise.
@pytest.mark.parametrize("depth", [32, 64, 896, 4864, 16_384, 16_416])
@pytest.mark.parametrize(("rows", "columns"), [(4, 8), (8, 16), (12, 24), (16, 128), (20, 8)])
def test_our_routine_agrees_with_the_library(
    library: ctypes.CDLL, depth: int, rows: int, columns: int
) -> None:
    random = np.random.default_rng(depth + rows)
    weights = random_blocks(random, columns // 8, depth // BLOCK, lanes=8, signed=False)
    activations = random_blocks(random, rows // 4, depth // BLOCK, lanes=4, signed=True)
    ours = product(library, OURS, weights, activations, spare=3)
    theirs = product(library, THEIRS, weights, activations, spare=3)
    assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert np.any(ours[:, :columns] != 0)
    assert (ours[:, columns:] == 7).all(), "wrote beside the result"


def test_extreme_values_do_not_overflow(library: ctypes.CDLL) -> None:
    random = np.random.default_rng(1)
    weights = random_blocks(random, 2, 28, lanes=8, signed=False)
    activations = random_blocks(random, 2, 28, lanes=4, signed=True)
    for nibbles, value in ((0x00, 127), (0xFF, -127), (0x88, 127), (0x77, -128)):
        weights["values"], activations["values"] = nibbles, value
        ours = product(library, OURS, weights, activations, spare=0)
        theirs = product(library, THEIRS, weights, activations, spare=0)
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
