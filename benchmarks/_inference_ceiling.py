"""Measure how fast this machine reads memory, and how much of a model has to be read for a token."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import gguf
import numpy as np

# More than any last-level cache that it could come out of.
BUFFER_BYTES = 256 << 20
READS = 3


class Memory:
    """Hold a buffer for each of two threads.

    Of random bytes: pages that are all the same may be merged into one by a hypervisor, which then comes from the
    cache, at twice the speed.
    """

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        most = np.iinfo(np.uint64).max
        self._buffers = [
            random.integers(0, most, BUFFER_BYTES // 8, np.uint64, endpoint=True) for _ in range(2)
        ]

    def bandwidth(self) -> float:
        """Return bytes per second, the better of one and of two threads that read at C speed."""
        return max(self._read(threads) for threads in (1, 2))

    def _read(self, threads: int) -> float:
        readers = [threading.Thread(target=_reduce, args=(buffer,)) for buffer in self._buffers[:threads]]
        began = time.perf_counter()
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return threads * READS * BUFFER_BYTES / (time.perf_counter() - began)


def _reduce(buffer: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
    for _ in range(READS):
        np.bitwise_or.reduce(buffer)


def bytes_per_token(model: Path) -> int:
    """Return the bytes of all weights that one token needs: all but embeddings that are not the output layer, too."""
    tensors = gguf.GGUFReader(model).tensors
    untied = any(tensor.name == "output.weight" for tensor in tensors)
    return sum(
        int(tensor.n_bytes) for tensor in tensors if not (untied and tensor.name == "token_embd.weight")
    )
