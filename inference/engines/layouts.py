"""Lay a conversation out as tokens for models whose library knows no chat template.

A layout puts the marks of turns in as token ids, and people's words through a tokenizer that knows no marks: whatever
they write, no mark comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from inference.engine import ChatMessage

Tokens = list[int]
Messages = tuple[ChatMessage, ...]
CHATML_OPEN, CHATML_CLOSE = "<|im_start|>", "<|im_end|>"
_NAMES = {"user": "User", "assistant": "Assistant"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Say what a layout needs: how words become tokens, the ids of marks by their text, and of begin and end."""

    tokenize: Callable[[str], Tokens]
    marks: Mapping[str, int]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Lay out a conversation up to where the model goes on.

    It ends its answer with a token of `ends` or a text of `stops`.
    """

    arrange: Callable[[Messages], Tokens]
    ends: frozenset[int]
    stops: tuple[str, ...] = ()


def choose_layout(vocabulary: Vocabulary, *, architecture: str) -> Layout:
    """Return ChatML where the vocabulary has its marks, Llama 2's layout for other llamas, else plain names."""
    if CHATML_OPEN in vocabulary.marks and CHATML_CLOSE in vocabulary.marks:
        ends = frozenset({vocabulary.marks[CHATML_CLOSE], vocabulary.end})
        return Layout(lambda messages: list(_chatml(vocabulary, messages)), ends)
    if architecture == "llama":
        return Layout(lambda messages: list(_llama2(vocabulary, messages)), frozenset({vocabulary.end}))
    return Layout(lambda messages: _plain(vocabulary, messages), frozenset({vocabulary.end}), ("\nUser:",))


def _chatml(vocabulary: Vocabulary, messages: Messages) -> Iterator[int]:
    """Source: the chat templates of Qwen and SmolLM2."""
    start, stop = vocabulary.marks[CHATML_OPEN], vocabulary.marks[CHATML_CLOSE]
    line_end = vocabulary.tokenize("\n")
    for message in messages:
        yield start
        yield from vocabulary.tokenize(f"{message.role}\n{message.content}")
        yield stop
        yield from line_end
    yield start
    yield from vocabulary.tokenize("assistant\n")


def _llama2(vocabulary: Vocabulary, messages: Messages) -> Iterator[int]:
    """Source: https://github.com/meta-llama/llama/blob/main/llama/generation.py, `chat_completion`.

    Its marks are ordinary text, which is taken apart in people's words before an engine sees them.
    """
    system = messages[0].content if messages[0].role == "system" else ""
    head = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if system else ""
    for message in messages:
        if message.role == "user":
            yield vocabulary.begin
            yield from vocabulary.tokenize(f"[INST] {head}{message.content.strip()} [/INST]")
            head = ""
        elif message.role == "assistant":
            yield from vocabulary.tokenize(f" {message.content.strip()} ")
            yield vocabulary.end


def _plain(vocabulary: Vocabulary, messages: Messages) -> Tokens:
    """Name the speakers in words, for models that were never taught to chat."""
    lines = [
        f"{_NAMES[message.role]}: {message.content}" if message.role in _NAMES else f"{message.content}\n"
        for message in messages
    ]
    return vocabulary.tokenize("\n".join([*lines, "Assistant:"]))
