"""Prepare what people wrote for the model's chat template, and shorten a history that does not fit.

A chat template marks turns with control tokens such as `<|im_start|>`. The tokenizer reads them in text as
well, so a person who writes them could open a turn of the system or of the model. Here they are taken
apart, with spaces, so that the text stays readable and no token comes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from inference.engine import ChatMessage, EngineError, OverlongPrompt, Prompt
from inference.gguf import SpecialTexts

# `<|…|>` with plain or full-width bars covers ChatML (Qwen, SmolLM2), Llama 3, Phi and DeepSeek; the rest
# are the turn marks of Llama 2, Mistral and Gemma. The class forbids `<`, so that the search takes linear
# time, and a mark written inside another one is found as well. Inserted spaces cannot make a new mark: each
# is an exact string.
_MARK = re.compile(
    r"(?P<open><)(?P<body>[|｜][^<>|｜]*[|｜]|/?s|bos|eos|start_of_turn|end_of_turn)(?P<close>>)"
    r"|(?P<open2>\[)(?P<body2>/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS))(?P<close2>\])"
    r"|(?P<open3><)(?P<body3></?SYS>)(?P<close3>>)"
)

# More bytes per token than any real text has, over a whole context. What is larger is not worth a
# tokenizer's time.
MAX_BYTES_PER_TOKEN = 16
# Marks that overlap need a second round; more than a few mean marks that spaces make.
_MAX_ROUNDS = 8


def _take_apart(match: re.Match[str]) -> str:
    left, body, right = (part for part in match.groups() if part is not None)
    return f"{left} {body} {right}"


def neutralise_text(text: str) -> str:
    """Take every control token apart; replace lone surrogates, which UTF-8 cannot hold."""
    return _MARK.sub(_take_apart, text).encode("utf-8", "replace").decode("utf-8")


class Marks:
    """Texts that a tokenizer takes for special tokens, found in time linear in a text for each that it may hold.

    One of a single character cannot be taken apart, and one of blanks alone is no mark: neither is kept.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._by_first: dict[str, list[str]] = {}
        for text in sorted(set(texts), key=len, reverse=True):
            if len(text) > 1 and not text.isspace():
                self._by_first.setdefault(text[0], []).append(text)

    def take_apart(self, text: str) -> str:
        """Put spaces into every mark, until none is left. Raise EngineError where that has no end."""
        for _round in range(_MAX_ROUNDS):
            found = self._in(text)
            if not found:
                return text
            for mark in found:
                text = text.replace(mark, f"{mark[0]} {mark[1:-1]} {mark[-1]}")
        raise EngineError

    def _in(self, text: str) -> list[str]:
        likely = (marks for first, marks in self._by_first.items() if first in text)
        return [mark for marks in likely for mark in marks if mark in text]


class Neutraliser:
    """Take apart what a model's tokenizer would take for its own marks, whatever they look like.

    Control tokens are taken apart in every message, the system prompt included: admins paste text as well. Special
    words of the template, such as those around a tool's answer, are left to the model's own earlier answers.
    """

    def __init__(self, special: SpecialTexts) -> None:
        self._anywhere = Marks(special.control)
        self._by_people = Marks((*special.control, *special.in_template))

    def __call__(self, prompt: Prompt) -> Prompt:
        """Return the prompt without a mark. Raise EngineError where one cannot be taken apart."""
        return replace(prompt, messages=tuple(map(self._message, prompt.messages)))

    def _message(self, message: ChatMessage) -> ChatMessage:
        marks = self._anywhere if message.role == "assistant" else self._by_people
        return ChatMessage(message.role, marks.take_apart(neutralise_text(message.content)))


class Trimmer:
    """Shorten a conversation, oldest exchange first, never the system prompt or the newest user message.

    Cuts fall on points that stay where they are while the conversation grows: a cut that moved with every
    turn would change the start of the prompt every time, and the engine would have to read all of it again
    instead of using its cache. Two cuts are at least `stride` bytes apart, but for the last, which leaves
    only the newest message.
    """

    def __init__(self, messages: tuple[ChatMessage, ...], *, stride: int) -> None:
        self._all = messages
        self._head = 1 if messages[0].role == "system" else 0
        self._sizes = [len(message.content.encode("utf-8", "replace")) + 1 for message in messages]
        self._cuts = self._cut_points(stride)
        self.messages = messages
        self.dropped = 0

    def _cut_points(self, stride: int) -> list[int]:
        newest = len(self._all) - 1
        cuts: list[int] = []
        since = 0
        for index in range(self._head, newest):
            if index > self._head and self._all[index].role == "user" and since >= stride:
                cuts.append(index)
                since = 0
            since += self._sizes[index]
        return [*cuts, newest] if newest > self._head else []

    @property
    def size(self) -> int:
        """Return the bytes of what is left."""
        return sum(self._sizes[: self._head]) + sum(self._sizes[self._head + self.dropped :])

    def versions(self) -> Iterator[tuple[ChatMessage, ...]]:
        """Yield the conversation as it is, then as it would be after each further cut."""
        yield self.messages
        for index in self._cuts:
            yield self._cut_at(index)

    def keep(self, version: tuple[ChatMessage, ...]) -> None:
        """Drop what one of the versions has not."""
        while self._cuts and len(self.messages) > len(version):
            self._drop_to(self._cuts.pop(0))

    def shorten(self, *, measured: int, budget: int) -> None:
        """Drop as much as brings `measured` (tokens or bytes) below the budget by proportion, at least one
        cut further.

        The caller measures again, as proportion is only a guess. Raise OverlongPrompt if nothing was left
        to drop.
        """
        if not self._cuts:
            raise OverlongPrompt
        enough = self.size * budget / measured
        self._drop_to(self._cuts.pop(0))
        while self._cuts and self.size > enough:
            self._drop_to(self._cuts.pop(0))

    def _drop_to(self, index: int) -> None:
        self.dropped = index - self._head
        self.messages = self._cut_at(index)

    def _cut_at(self, index: int) -> tuple[ChatMessage, ...]:
        return self._all[: self._head] + self._all[index:]
