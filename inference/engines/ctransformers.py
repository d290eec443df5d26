"""Run GGML files and the llama and falcon GGUF files of 2023, through the `ctransformers` package.

One slot: the library has one conversation in hand. Its code is of 2023, and three of its properties decide how it is
used: a damaged file or an unknown byte ends the process, so it only ever runs in a worker; its own error texts are
empty, so what can be refused is refused by name before it sees the file; and it evaluates whatever tokens it is given
at one go, so a prompt is handed over in small parts, between which a stop takes effect.
"""

from __future__ import annotations

import importlib.metadata
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ctransformers import LLM, Config, llm

from inference import confinement
from inference.engine import (
    EngineError,
    LoadError,
    Origin,
    Outcome,
    Prompt,
    Sampling,
    Sink,
    Unsupported,
    Usage,
    WorkerReport,
    WorkerSpec,
)
from inference.engines.layouts import Tokens, Vocabulary, choose_layout
from inference.engines.oldfiles import OldFile, read_old_file
from inference.engines.speech import Speech
from inference.prompt import Trimmer

# Read at the import, as is the library below: the worker's cage lets no file be opened later but the model's.
_NAME = f"ctransformers {importlib.metadata.version('ctransformers')}"
# Prompt tokens that are evaluated at one go, per thread: the grain of a stop, as in the llamacpp engine.
_BATCH_PER_THREAD = 16
# The penalty for repetition looks back over so many tokens: llama.cpp's own default.
_LAST_TOKENS = 64
_BASE_BYTES = 768 << 20
# GGML files are read into memory and not mapped, and have no figures for the cache in their header.
_GGML_FACTOR = 4


class CtransformersEngine:
    """Hold one old model. `generate` calls wait for each other."""

    def __init__(self, spec: WorkerSpec) -> None:
        path = Path(spec.model_path)
        file = read_old_file(path, architecture=spec.architecture)
        confinement.limit_memory(spec.memory_bytes or _memory_need(path, file, tokens=spec.context_tokens))
        self._threads = spec.threads or confinement.spare_cores()
        self._llm = _load(path, file, context=spec.context_tokens, threads=self._threads)
        self._context = min(spec.context_tokens, self._llm.context_length)
        self._spec = replace(spec, context_tokens=self._context)
        self._layout = choose_layout(self._vocabulary(file), architecture=file.model_type)
        self._owner = Origin()
        self._lock = threading.Lock()

    def generate(self, prompt: Prompt, sink: Sink) -> Outcome:
        """Answer the prompt; see `Engine.generate`.

        Raise Unsupported for a JSON schema: this library has no grammars.
        """
        if prompt.sampling.json_schema:
            raise Unsupported
        with self._lock:
            limit = min(prompt.sampling.max_new_tokens, self._context // 2)
            trimmer, tokens = self._fit(prompt, budget=self._spec.prompt_budget(prompt.sampling))
            cached = self._take_over(prompt.origin, tokens)
            if not self._read(tokens, cached, sink):
                return Outcome("cancelled", Usage(len(tokens), 0, cached, trimmer.dropped))
            began = time.monotonic()
            reason, made = self._speak(prompt.sampling, sink, limit)
            pace = made / max(time.monotonic() - began, 1e-6)
            return Outcome(reason, Usage(len(tokens), made, cached, trimmer.dropped), round(pace, 1))

    def count_tokens(self, prompt: Prompt) -> int:
        """Return the tokens of the conversation as it is laid out."""
        with self._lock:
            return len(self._layout.arrange(prompt.messages))

    def forget(self, origin: Origin) -> None:
        """Let go of the conversation in hand if it is of that origin."""
        with self._lock:
            wanted = (origin.tenant, origin.person, origin.conversation)
            held = (self._owner.tenant, self._owner.person, self._owner.conversation)
            if all(not want or want == have for want, have in zip(wanted, held, strict=True)):
                self._drop()

    def report(self) -> WorkerReport:
        """Name library and threads."""
        return WorkerReport(engine="ctransformers", backend=_NAME, threads=self._threads)

    def _vocabulary(self, file: OldFile) -> Vocabulary:
        return Vocabulary(
            tokenize=lambda text: list(self._llm.tokenize(text, add_bos_token=False)),
            marks=file.marks,
            begin=self._llm.bos_token_id,
            end=self._llm.eos_token_id,
        )

    def _fit(self, prompt: Prompt, *, budget: int) -> tuple[Trimmer, Tokens]:
        trimmer = Trimmer(prompt.messages, stride=self._context)
        while len(tokens := self._layout.arrange(trimmer.messages)) > budget:
            trimmer.shorten(measured=len(tokens), budget=budget)
        return trimmer, tokens

    def _take_over(self, origin: Origin, tokens: Tokens) -> int:
        """Return how many of the tokens are still known from the same person's last turn."""
        if not origin.person or (origin.tenant, origin.person) != (self._owner.tenant, self._owner.person):
            self._drop()
        self._owner = origin
        return len(tokens) - len(self._llm.prepare_inputs_for_generation(tokens, reset=True))

    def _drop(self) -> None:
        self._owner = Origin()
        self._llm._context.clear()
        self._llm.ctransformers_llm_reset()

    def _read(self, tokens: Tokens, cached: int, sink: Sink) -> bool:
        """Evaluate the rest of a prompt. Return False where the sink wants to stop."""
        step = _BATCH_PER_THREAD * self._threads
        sink.progress(processed=cached, total=len(tokens))
        for start in range(cached, len(tokens), step):
            if sink.wait_cancelled(0):
                return False
            self._evaluate(tokens[start : start + step])
            sink.progress(processed=min(start + step, len(tokens)), total=len(tokens))
        return True

    def _speak(
        self, sampling: Sampling, sink: Sink, limit: int
    ) -> tuple[Literal["complete", "length", "cancelled"], int]:
        speech = Speech(sink, sampling.stop + self._layout.stops)
        for made in range(limit):
            if sink.wait_cancelled(0):
                return "cancelled", made
            token = self._choose(sampling, made)
            if token in self._layout.ends or speech.say(self._llm.detokenize([token], decode=False)):
                speech.finish()
                return "complete", made
            self._evaluate([token])
        speech.finish()
        return "length", limit

    def _choose(self, sampling: Sampling, made: int) -> int:
        """Return the next token; with a seed, the same ones each time: the library seeds itself anew for each token."""
        greedy = sampling.temperature == 0
        token: int = self._llm.sample(
            top_k=1 if greedy else sampling.top_k or self._llm.vocab_size,
            top_p=sampling.top_p,
            temperature=1.0 if greedy else sampling.temperature,
            repetition_penalty=sampling.repeat_penalty,
            last_n_tokens=_LAST_TOKENS,
            seed=-1 if sampling.seed is None else (sampling.seed + made) % (1 << 31),
        )
        return token

    def _evaluate(self, tokens: Tokens) -> None:
        try:
            self._llm.eval(tokens, batch_size=len(tokens), threads=self._threads)
        except RuntimeError:
            self._drop()
            raise EngineError from None


def _memory_need(path: Path, file: OldFile, *, tokens: int) -> int:
    size = path.stat().st_size
    if file.cache_bytes_per_token is None:
        return _GGML_FACTOR * size + _BASE_BYTES
    return 2 * size + tokens * file.cache_bytes_per_token + _BASE_BYTES


def _library(cpu: str) -> Literal["avx2", "avx", "basic"]:
    flags = set(cpu.partition("flags")[2].partition("\n")[0].split())
    if {"avx2", "fma", "f16c"} <= flags:
        return "avx2"
    return "avx" if {"avx", "f16c"} <= flags else "basic"


# The library for this processor: it would run other programs to find out which.
_LOADED = llm.load_library(_library(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")))
llm.load_library = lambda *_choice, **_more: _LOADED


def _load(path: Path, file: OldFile, *, context: int, threads: int) -> Any:
    try:
        return LLM(
            str(path),
            model_type=file.model_type if file.is_ggml else "gguf",
            config=Config(threads=threads, context_length=context, batch_size=_BATCH_PER_THREAD * threads),
        )
    except MemoryError:
        raise LoadError("out_of_memory") from None
    except (RuntimeError, ValueError, OSError):
        raise LoadError("model_invalid") from None
