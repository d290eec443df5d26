"""Put our own batches behind the protocol of all engines."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from inference import confinement
from inference.engine import (
    LoadError,
    Origin,
    Outcome,
    OverlongPrompt,
    Prompt,
    Sink,
    WorkerReport,
    WorkerSpec,
)
from inference.engines.gguf import memory_need, read_shape
from inference.engines.native.batching import BatchLoop
from inference.engines.native.bindings import open_library, schema_converter
from inference.engines.native.context import Context
from inference.engines.native.heads import SPARE
from inference.engines.native.model import Model
from inference.engines.native.pace import Pace
from inference.engines.native.sampler import Sampler, grammar_of
from inference.engines.native.seats import Seats
from inference.engines.native.shelf import Shelf
from inference.engines.native.template import ChatTemplate, Encoded
from inference.engines.native.turns import Turn
from inference.engines.speech import Speech
from inference.governor import usual_threads
from inference.prompt import MAX_BYTES_PER_TOKEN, Trimmer

_LIBRARY = open_library()
schema_converter()  # From here on the worker's cage lets no module be loaded.
_VERSION = importlib.metadata.version("llama-cpp-python")
# The most tokens of one step: what a machine with many cores computes within the time of a stop.
_LARGEST_STEP = 256


class NativeEngine:
    """Hold one loaded model and the loop that computes with it. Take no more prompts at a time than there are slots.

    The memory limit of the process is set before the model is loaded, so that a file that lies about its size cannot
    take the machine down.
    """

    def __init__(self, spec: WorkerSpec) -> None:
        path = Path(spec.model_path)
        need = memory_need(read_shape(path), tokens=spec.slots * spec.context_tokens + SPARE[1])
        confinement.limit_memory(spec.memory_bytes or need)
        self._spec = spec
        self._tokens = spec.context_tokens
        self._threads = spec.threads or usual_threads()
        try:
            self._model = Model(_LIBRARY, path)
            self._template = ChatTemplate(self._model)
            context = Context(
                _LIBRARY,
                self._model,
                slots=spec.slots,
                tokens=spec.context_tokens,
                spare=SPARE,
                batch=max(_LARGEST_STEP, 2 * spec.slots),
                threads=self._threads,
            )
        except MemoryError:
            raise LoadError("out_of_memory") from None
        self._loop = BatchLoop(
            context,
            self._model,
            Seats(context, spec.slots, shelf=Shelf(spec.prefix_cache_bytes)),
            pace=Pace(largest=_LARGEST_STEP),
        )

    def generate(self, prompt: Prompt, sink: Sink) -> Outcome:
        """Answer the prompt; see `Engine.generate`."""
        sampling = prompt.sampling
        trimmer = Trimmer(prompt.messages, stride=self._tokens)
        encoded = self._fit(trimmer, self._spec.prompt_budget(sampling))
        sampler = Sampler(
            _LIBRARY, self._model, sampling, grammar=grammar_of(sampling.json_schema), before=encoded.tokens
        )
        turn = Turn(
            encoded,
            prompt.origin,
            sampler=sampler,
            speech=Speech(sink, sampling.stop),
            sink=sink,
            most=min(sampling.max_new_tokens, self._tokens - len(encoded.tokens)),
        )
        self._loop.submit(turn)
        return turn.outcome(trimmed=trimmer.dropped)

    def _fit(self, trimmer: Trimmer, budget: int) -> Encoded:
        """Cut the history at the first point that leaves few enough tokens. Raise OverlongPrompt if there is none."""
        for version in trimmer.versions():
            trimmer.keep(version)
            if trimmer.size <= budget * MAX_BYTES_PER_TOKEN:
                encoded = self._template.encode(version)
                if len(encoded.tokens) <= budget:
                    return encoded
        raise OverlongPrompt

    def count_tokens(self, prompt: Prompt) -> int:
        """Return the tokens of the prompt, those of the template included."""
        return len(self._template.encode(prompt.messages).tokens)

    def forget(self, origin: Origin) -> None:
        """Clear what is kept of that origin; the slot of a turn that runs is cleared when it ends."""
        self._loop.forget(origin)

    def report(self) -> WorkerReport:
        """Name library and threads."""
        return WorkerReport(engine="native", backend=f"llama-cpp-python {_VERSION}", threads=self._threads)
