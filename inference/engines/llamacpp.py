"""Run a GGUF model with llama.cpp in this process, through the `xllamacpp` package.

What it does that the package does not say: it opens a TCP port unless it is given a socket path; it reports
the exact number of prompt tokens before it starts to work on them, which is our token budget; and whatever
a callback raises is swallowed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any, Literal

import xllamacpp

from inference import confinement
from inference.engine import (
    ChatMessage,
    EngineError,
    LoadError,
    Origin,
    Outcome,
    Prompt,
    Sampling,
    Sink,
    Usage,
    WorkerReport,
    WorkerSpec,
)
from inference.engines.gguf import memory_need, read_shape
from inference.engines.origins import NOBODY
from inference.engines.slots import Messages, SlotBook, Taken
from inference.governor import usual_threads
from inference.prompt import Trimmer

# Prompt tokens that are processed at one go, per thread. It is the grain of a stop and the pulse of our
# hang check: at 100 to 190 tokens per second and thread, 16 take about 0.1 s. 512 would be a quarter faster.
_BATCH_PER_THREAD = 16
_MAX_BATCH = 256
# The library lowers what was said before in the whole vocabulary, then looks for the likeliest. The other way round
# the search among the few that count costs nothing: 5 % more tokens per second with four answers at once.
_SAMPLERS = ["top_k", "penalties", "top_p", "min_p", "temperature"]
_ALL_SAMPLERS = ["penalties", "top_p", "min_p", "temperature"]


# What a slot is overwritten with.
_WIPE = (ChatMessage("user", "."),)
_ONE_TOKEN = Sampling(max_new_tokens=1, temperature=0)
_NO_LIMIT = 1 << 30
_SCHEMA_TYPES = {"string", "number", "integer", "boolean", "null", "array", "object"}


class LlamaCppEngine:
    """Hold one loaded model with its slots.

    Take prompts only in as many threads as there are slots. The memory limit of the process is set before
    the model is loaded, so that a file that lies about its size cannot take the machine down.
    """

    def __init__(self, spec: WorkerSpec) -> None:
        path = Path(spec.model_path)
        need = memory_need(read_shape(path), tokens=spec.slots * spec.context_tokens)
        confinement.limit_memory(spec.memory_bytes or need)
        self._spec = spec
        self._context = spec.context_tokens
        self._threads = choose_threads(spec)
        self._book = SlotBook(spec.slots)
        try:
            self._server = _load(spec)
        except MemoryError:
            raise LoadError("out_of_memory") from None
        except RuntimeError:
            # The library gives no reason. A limit below our own estimate is the likely one.
            too_small = 0 < spec.memory_bytes < need
            raise LoadError("out_of_memory" if too_small else "model_invalid") from None

    def generate(self, prompt: Prompt, sink: Sink) -> Outcome:
        """Answer the prompt; see `Engine.generate`. History is trimmed until the engine's own count fits."""
        budget = self._spec.prompt_budget(prompt.sampling)
        trimmer = Trimmer(prompt.messages, stride=self._context)
        taken = self._book.take(trimmer.versions(), prompt.origin)
        if taken.version is not None:
            trimmer.keep(taken.version)
        try:
            attempt = self._attempt(trimmer.messages, prompt.sampling, taken, _Attempt(sink, budget))
            while attempt.overflow:
                trimmer.shorten(measured=attempt.overflow, budget=budget)
                attempt = self._attempt(trimmer.messages, prompt.sampling, taken, _Attempt(sink, budget))
            return attempt.outcome(trimmed=trimmer.dropped)
        finally:
            self._book.give_back(taken.slot, trimmer.messages)

    def count_tokens(self, prompt: Prompt) -> int:
        """Return what the library counts before it starts to work; the request ends there. Raise EngineError."""
        counting = _Attempt(_Nobody(), budget=0)
        taken = self._book.take((), NOBODY)
        try:
            self._attempt(prompt.messages, prompt.sampling, taken, counting)
        finally:
            self._book.give_back(taken.slot, ())
        if not counting.overflow:
            raise EngineError
        return counting.overflow

    def forget(self, origin: Origin) -> None:
        """Overwrite every slot that holds text of that origin; one in use as soon as its turn has ended.

        The library has no call for it. A request that may use nothing of what the slot holds drops all of it.
        """
        for slot in self._book.holding(origin):
            if self._book.seize(slot, origin):
                try:
                    self._attempt(
                        _WIPE, _ONE_TOKEN, Taken(slot, None, is_own=False), _Attempt(_Deaf(), _NO_LIMIT)
                    )
                finally:
                    self._book.give_back(slot, ())

    def report(self) -> WorkerReport:
        """Name library and threads."""
        return WorkerReport(
            engine="llamacpp", backend=f"xllamacpp {xllamacpp.__version__}", threads=self._threads
        )

    def _attempt(self, messages: Messages, sampling: Sampling, taken: Taken, attempt: _Attempt) -> _Attempt:
        try:
            self._server.handle_chat_completions(_body(messages, sampling, taken), attempt.receive)
        except (ValueError, RuntimeError):
            # The text of the library's error quotes the request: it must go no further.
            raise EngineError from None
        return attempt


class _Nobody:
    """Take what nobody reads."""

    def progress(self, *, processed: int, total: int) -> None:
        """Do nothing."""

    def text(self, piece: str) -> None:
        """Do nothing."""

    def wait_cancelled(self, seconds: float) -> bool:
        """End at once."""
        return True


class _Deaf(_Nobody):
    """Take what nobody reads, to its end."""

    def wait_cancelled(self, seconds: float) -> bool:
        """Go on."""
        return False


class _Attempt:
    """Collect what the engine says about one request, and answer it whether to stop."""

    def __init__(self, sink: Sink, budget: int) -> None:
        self._sink = sink
        self._budget = budget
        self._reason = ""
        self._cancelled = False
        self._prompt_tokens = 0
        self._cached_tokens = 0
        self._pieces = 0
        self._completion_tokens: int | None = None
        self._pace = 0.0
        self.overflow = 0

    def receive(self, chunk: dict[str, Any]) -> bool:
        """Take a chunk. Return True to end the request."""
        if "error" in chunk:
            self.overflow = int(chunk["error"].get("n_prompt_tokens", 0))
            return True
        if "prompt_progress" in chunk:
            return self._progress(chunk["prompt_progress"])
        for choice in chunk.get("choices", ()):
            self._reason = choice.get("finish_reason") or ""
            if text := choice["delta"].get("content"):
                self._pieces += 1
                self._sink.text(text)
        if "usage" in chunk:
            self._completion_tokens = int(chunk["usage"]["completion_tokens"])
            pace = float(chunk.get("timings", {}).get("predicted_per_second") or 0.0)
            # One token takes no time between two: the library divides by it.
            self._pace = pace if math.isfinite(pace) else 0.0
        self._cancelled = self._sink.wait_cancelled(0)
        return self._cancelled

    def outcome(self, *, trimmed: int) -> Outcome:
        """Sum up. Raise EngineError if the engine ended without a reason."""
        made = self._pieces if self._completion_tokens is None else self._completion_tokens
        usage = Usage(self._prompt_tokens, made, self._cached_tokens, trimmed)
        if self._reason:
            reason: Literal["complete", "length"] = "length" if self._reason == "length" else "complete"
            return Outcome(reason, usage, round(self._pace, 1))
        if self._cancelled:
            return Outcome("cancelled", usage)
        raise EngineError

    def _progress(self, progress: dict[str, Any]) -> bool:
        total = int(progress["total"])
        if total > self._budget:
            self.overflow = total
            return True
        if not self._prompt_tokens:
            self._prompt_tokens, self._cached_tokens = total, int(progress["cache"])
        self._sink.progress(processed=int(progress["processed"]), total=total)
        self._cancelled = self._sink.wait_cancelled(0)
        return self._cancelled


def choose_threads(spec: WorkerSpec) -> int:
    """Return the threads to decode with: what was asked for, or the usual number."""
    return spec.threads or usual_threads()


def _body(messages: Messages, sampling: Sampling, taken: Taken) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "max_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "repeat_penalty": sampling.repeat_penalty,
        "stop": list(sampling.stop),
        "samplers": _SAMPLERS if sampling.top_k else _ALL_SAMPLERS,
        "id_slot": taken.slot,
        "cache_prompt": taken.is_own,
        "stream": True,
        "return_progress": True,
        "stream_options": {"include_usage": True},
    }
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.json_schema:
        # The chat interface takes a schema as well, and does nothing with it.
        body["grammar"] = xllamacpp.json_schema_to_grammar(_read_schema(sampling.json_schema))
    return body


def _read_schema(text: str) -> object:
    """Return the schema. Raise EngineError for what is no JSON object."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        raise EngineError from None
    if not isinstance(schema, dict) or not _is_sound(schema):
        raise EngineError
    return schema


def _is_sound(part: object) -> bool:
    """Say whether a schema names known types and refers to itself only: the library takes anything, and ignores it."""
    if isinstance(part, list):
        return all(map(_is_sound, part))
    if not isinstance(part, dict):
        return True
    kinds, reference = part.get("type"), part.get("$ref")
    if isinstance(kinds, str) and kinds not in _SCHEMA_TYPES:
        return False
    if isinstance(reference, str) and not reference.startswith("#"):
        return False
    return all(map(_is_sound, part.values()))


def _load(spec: WorkerSpec) -> xllamacpp.Server:
    """Load the model.

    Its listener, which nobody needs, gets a socket in a private folder, from which it is removed at once.
    """
    socket = f"{spec.scratch_path or tempfile.mkdtemp(prefix='engine-')}/engine.sock"
    try:
        return xllamacpp.Server(_parameters(spec, socket=socket))
    finally:
        with contextlib.suppress(OSError):
            os.unlink(socket)  # noqa: PTH108 - pathlib would look at the file first, which the cage refuses


def _parameters(spec: WorkerSpec, *, socket: str) -> xllamacpp.CommonParams:
    threads = choose_threads(spec)
    batch = max(min(_BATCH_PER_THREAD * threads, _MAX_BATCH), 2 * spec.slots)
    params = xllamacpp.CommonParams()
    params.model.path = spec.model_path
    params.hostnames = [socket]
    params.n_threads_http = 1
    params.n_parallel = spec.slots
    params.n_ctx = spec.slots * spec.context_tokens
    params.n_batch = params.n_ubatch = batch
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = 0
    # Read, not mapped: a file's pages are small ones, and its bytes could change under a running model.
    params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    params.cache_ram_mib = 0  # The default keeps 8 GiB of old conversations.
    params.verbosity = -1
    params.endpoint_slots = params.ui = params.fit_params = params.cache_idle_slots = False
    params.offline = True
    # What a model writes is text to us, even where it looks like a tool call or a thought.
    params.force_pure_content_parser = True
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    return params
