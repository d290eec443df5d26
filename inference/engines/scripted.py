"""Answer without a model, at a fixed pace: for tests and for measuring everything around an engine.

Its words follow from the prompt and the seed alone. It runs in a worker process behind the same wire as a
real engine, so what is tested with it is the real path. The pool calls it scripted in the model's name.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from typing import Literal

from inference import confinement
from inference.engine import Origin, Outcome, Prompt, Sink, Usage, WorkerReport, WorkerSpec
from inference.prompt import Trimmer

USUAL_WORDS = 24
_MEMORY_BYTES = 1 << 30


class ScriptedEngine:
    """Repeat the newest message word by word, then count: `word1 word2 …`, 50 if it says `count 50`.

    A token is a word. With a seed the repeated words come in an order that the seed alone decides. A stop
    text ends the answer before it, as with a real engine.
    """

    def __init__(self, spec: WorkerSpec) -> None:
        confinement.limit_memory(spec.memory_bytes or _MEMORY_BYTES)
        self._pause = spec.scripted_ms / 1000
        self._spec = spec
        self._context = spec.context_tokens

    def generate(self, prompt: Prompt, sink: Sink) -> Outcome:
        """Answer as the class says. Raise OverlongPrompt if the newest message leaves no room."""
        limit = min(prompt.sampling.max_new_tokens, self._context // 2)
        trimmer = Trimmer(prompt.messages, stride=self._context)
        budget = self._spec.prompt_budget(prompt.sampling)
        while (total := _count(trimmer)) > budget:
            trimmer.shorten(measured=total, budget=budget)
        sink.progress(processed=total, total=total)
        started = time.monotonic()
        reason, made = self._speak(prompt, sink, limit)
        usage = Usage(prompt_tokens=total, completion_tokens=made, trimmed_messages=trimmer.dropped)
        pace = made / max(time.monotonic() - started, 1e-6)
        return Outcome(reason=reason, usage=usage, tokens_per_second=round(pace, 1))

    def count_tokens(self, prompt: Prompt) -> int:
        """Return the words of the prompt."""
        return _count(Trimmer(prompt.messages, stride=self._context))

    def forget(self, origin: Origin) -> None:
        """Do nothing: this engine keeps nothing."""

    def report(self) -> WorkerReport:
        """Say that there is no model."""
        return WorkerReport(engine="scripted", backend="scripted", threads=1)

    def _speak(
        self, prompt: Prompt, sink: Sink, limit: int
    ) -> tuple[Literal["complete", "length", "cancelled"], int]:
        made = 0
        due = time.monotonic()
        for word in _words(prompt):
            if made == limit:
                return "length", made
            due += self._pause
            if sink.wait_cancelled(max(0.0, due - time.monotonic())):
                return "cancelled", made
            if any(stop in word for stop in prompt.sampling.stop):
                return "complete", made
            sink.text(word if made == 0 else " " + word)
            made += 1
        return "complete", made


def _count(trimmer: Trimmer) -> int:
    return sum(len(message.content.split()) for message in trimmer.messages)


def _words(prompt: Prompt) -> Iterator[str]:
    """Yield the newest message's words, then numbered ones.

    There are as many of these as its last number says, else USUAL_WORDS.
    """
    newest = prompt.messages[-1].content
    said = newest.split()
    if prompt.sampling.seed is not None:
        random.Random(prompt.sampling.seed).shuffle(said)  # noqa: S311 - repeatable on purpose
    numbers = re.findall(r"\d{1,6}", newest)
    yield from said
    for number in range(1, (int(numbers[-1]) if numbers else USUAL_WORDS) + 1):
        yield f"word{number}"
