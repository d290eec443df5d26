"""Hold what a model has computed: one sequence of tokens per slot, and the batch that adds to them."""

from __future__ import annotations

import ctypes
from typing import Any

from inference.engine import LoadError
from inference.engines.native.bindings import Library
from inference.engines.native.model import Model

State = ctypes.Array[ctypes.c_uint8]

_FLASH_ATTENTION = 1


class Context:
    """Hold the key-value cache of all slots. All methods belong to one thread, the one that computes.

    One buffer for all, in which each token belongs to one or more sequences. Buffers of their own would split every
    step that is not one token of each of several neighbours, and read all weights once per part. What belongs to
    others is skipped, which flash attention does for next to nothing. `spare` are sequences beside the slots, and
    tokens for them.
    """

    def __init__(
        self,
        library: Library,
        model: Model,
        *,
        slots: int,
        tokens: int,
        spare: tuple[int, int],
        batch: int,
        threads: int,
    ) -> None:
        self._library = library
        parameters = library.llama_context_default_params()
        parameters.n_ctx = slots * tokens + spare[1]
        parameters.n_batch = parameters.n_ubatch = batch
        parameters.n_seq_max = parameters.n_outputs_max = slots + spare[0]
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = True
        parameters.flash_attn_type = _FLASH_ATTENTION
        parameters.no_perf = True
        self.handle = library.llama_init_from_model(model.handle, parameters)
        if not self.handle:
            raise LoadError("out_of_memory")
        self._memory = library.llama_get_memory(self.handle)
        self._batch: Any = library.llama_batch_init(batch, 0, 1)
        self.capacity = batch
        for row in range(batch):
            self._batch.n_seq_id[row] = 1

    @property
    def rows(self) -> int:
        """Return how many tokens the batch holds."""
        return int(self._batch.n_tokens)

    def clear_batch(self) -> None:
        """Begin a new batch."""
        self._batch.n_tokens = 0

    def add(self, token: int, *, position: int, slot: int, speaks: bool) -> int:
        """Add a token to the batch and return its row; `speaks` asks for what comes after it."""
        batch = self._batch
        row: int = batch.n_tokens
        batch.token[row] = token
        batch.pos[row] = position
        batch.seq_id[row][0] = slot
        batch.logits[row] = speaks
        batch.n_tokens = row + 1
        return row

    def add_all(self, tokens: list[int], *, position: int, slot: int, speaks: bool) -> int:
        """Add tokens that follow each other; `speaks` is of the last. Return its row."""
        last = len(tokens) - 1
        for index, token in enumerate(tokens):
            self.add(token, position=position + index, slot=slot, speaks=speaks and index == last)
        return self.rows - 1

    def decode(self) -> bool:
        """Compute the batch, without holding Python's lock. Return False if the library refuses."""
        return int(self._library.llama_decode(self.handle, self._batch)) == 0

    def scores(self, row: int) -> Any:
        """Return the score of every token after that row, as a pointer to floats that may be changed."""
        return self._library.llama_get_logits_ith(self.handle, row)

    def cut(self, slot: int, *, keep: int) -> bool:
        """Drop all but the first tokens of a slot. Return False if this kind of model cannot: then all are dropped."""
        if self._library.llama_memory_seq_rm(self._memory, slot, keep, -1):
            return True
        self._library.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return False

    def copy(self, source: int, target: int, *, tokens: int) -> None:
        """Let the first tokens of one sequence belong to another one as well, which holds nothing else then."""
        self._library.llama_memory_seq_rm(self._memory, target, -1, -1)
        self._library.llama_memory_seq_cp(self._memory, source, target, 0, tokens)

    def saved_size(self, slot: int) -> int:
        """Return how many bytes `save` would return."""
        return int(self._library.llama_state_seq_get_size(self.handle, slot))

    def save(self, slot: int) -> State:
        """Return a copy of what a slot holds."""
        size = self.saved_size(slot)
        state = (ctypes.c_uint8 * size)()
        self._library.llama_state_seq_get_data(self.handle, state, size, slot)
        return state

    def load(self, slot: int, state: State) -> bool:
        """Put a copy back into a slot. Return False if it does not fit: then the slot is empty."""
        self.cut(slot, keep=0)
        if self._library.llama_state_seq_set_data(self.handle, state, len(state), slot):
            return True
        self.cut(slot, keep=0)
        return False
