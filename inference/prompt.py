"""Prepare what people wrote for the model's chat template, and shorten a history that does not fit.

A chat template marks turns with control tokens such as `<|im_start|>`. The tokenizer reads them in text as
well, so a person who writes them could open a turn of the system or of the model. Here they are taken
apart, with spaces, so that the text stays readable and no token comes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from inference.engine import ChatMessage, OverlongPrompt, Prompt

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


def _take_apart(match: re.Match[str]) -> str:
    left, body, right = (part for part in match.groups() if part is not None)
    return f"{left} {body} {right}"


def neutralise_text(text: str) -> str:
    """Take every control token apart; replace lone surrogates, which UTF-8 cannot hold."""
    return _MARK.sub(_take_apart, text).encode("utf-8", "replace").decode("utf-8")


def neutralise(prompt: Prompt) -> Prompt:
    """Neutralise every message, the system prompt included: admins paste text as well."""
    messages = tuple(ChatMessage(m.role, neutralise_text(m.content)) for m in prompt.messages)
    return replace(prompt, messages=messages)


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
