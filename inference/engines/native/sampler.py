"""Choose the next token from the model's scores."""

from __future__ import annotations

import ctypes
import math
import secrets
from collections import Counter, deque
from typing import Any

from inference.engine import EngineError, Sampling
from inference.engines.native.bindings import Library, schema_converter
from inference.engines.native.context import Context
from inference.engines.native.model import Model

# How many of the last tokens the penalty for repetition looks at, as in llama.cpp's server.
PENALTY_WINDOW = 64


def grammar_of(schema: str) -> str:
    """Return a grammar for answers that fit a JSON schema, "" for none. Raise EngineError if it cannot be made."""
    if not schema:
        return ""
    try:
        return str(schema_converter()(schema))
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):
        # The schema is foreign: whatever it breaks in the converter, the answer is the same. Nothing is fetched.
        raise EngineError from None


class Sampler:
    """Choose tokens for one answer. Give its memory back with `close`. Raise EngineError for an impossible grammar.

    The penalty changes the few scores that it concerns in place: the library's own looks each of 150,000 tokens up.
    """

    def __init__(
        self, library: Library, model: Model, sampling: Sampling, *, grammar: str, before: list[int]
    ) -> None:
        self._library = library
        self._penalty = sampling.repeat_penalty
        self._window: deque[int] = deque(before[-PENALTY_WINDOW:])
        self._counts = Counter(self._window)
        self._grammar: Any = None
        seed = secrets.randbits(31) if sampling.seed is None else sampling.seed % (1 << 31)
        self._free = self._chain(sampling, seed, self._grammar)
        if grammar:
            self._grammar = library.llama_sampler_init_grammar(model.vocabulary, grammar.encode(), b"root")
            if not self._grammar:
                library.llama_sampler_free(self._free)
                raise EngineError
            self._strict = self._chain(sampling, seed, self._grammar)
            self._all = model.candidates()
            self._greedy = library.llama_sampler_init_greedy()

    def _chain(self, sampling: Sampling, seed: int, first: Any) -> Any:
        library = self._library
        chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
        samplers = [library.llama_sampler_init_greedy()]
        if sampling.temperature > 0:
            samplers = [
                *([library.llama_sampler_init_top_k(sampling.top_k)] if sampling.top_k else []),
                *([library.llama_sampler_init_top_p(sampling.top_p, 1)] if sampling.top_p < 1 else []),
                library.llama_sampler_init_temp(sampling.temperature),
                library.llama_sampler_init_dist(seed),
            ]
        for sampler in [first, *samplers] if first else samplers:
            library.llama_sampler_chain_add(chain, sampler)
        return chain

    def choose(self, context: Context, row: int) -> int:
        """Return the token that follows that row of the batch."""
        if self._penalty != 1:
            self._punish(context.scores(row))
        token = int(self._library.llama_sampler_sample(self._free, context.handle, row))
        if self._grammar:
            token = self._fit(token, context, row)
        if self._penalty != 1:
            self._remember(token)
        return token

    def _fit(self, token: int, context: Context, row: int) -> int:
        """Return the token if the grammar takes it, else the best one that it takes. Raise EngineError for none at all.

        To ask about one token costs nothing; to ask about all costs more than to compute the model.
        """
        if self._takes((self._library.llama_token_data * 1)((token, 0.0, 0.0))):
            self._library.llama_sampler_accept(self._strict, token)
            return token
        # The library ends the process where it accepts a token that does not fit.
        if not self._takes(type(self._all).from_buffer_copy(self._all)):
            raise EngineError
        return int(self._library.llama_sampler_sample(self._strict, context.handle, row))

    def _takes(self, candidates: Any) -> bool:
        """Say whether the grammar takes one of the candidates, whose scores must be finite."""
        array = self._library.llama_token_data_array(
            data=candidates, size=len(candidates), selected=-1, sorted=False
        )
        self._library.llama_sampler_apply(self._grammar, ctypes.byref(array))
        self._library.llama_sampler_apply(self._greedy, ctypes.byref(array))
        return math.isfinite(array.data[array.selected].logit)

    def _punish(self, scores: Any) -> None:
        penalty = self._penalty
        for token in self._counts:
            score = scores[token]
            scores[token] = score / penalty if score > 0 else score * penalty

    def _remember(self, token: int) -> None:
        self._window.append(token)
        self._counts[token] += 1
        if len(self._window) > PENALTY_WINDOW:
            oldest = self._window.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]

    def close(self) -> None:
        """Give the memory back."""
        self._library.llama_sampler_free(self._free)
        if self._grammar:
            self._library.llama_sampler_free(self._strict)
            self._library.llama_sampler_free(self._greedy)
