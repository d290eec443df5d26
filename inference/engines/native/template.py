"""Make tokens of a conversation by the model's own chat template, so that no message can forge a control token.

The template is rendered with a mark in place of every message. What stands between the marks is the template's own
text, in which control tokens are meant; what people wrote replaces the marks as tokens that were made without them.
"""

from __future__ import annotations

import datetime
import encodings.unicode_escape  # noqa: F401 - Jinja's lexer asks for it when no file can be opened any more
import itertools
import json
import re
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.debug  # which an error in a template would load, likewise
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from inference.engine import ChatMessage, EngineError, LoadError
from inference.engines.native.model import Model

# What llama.cpp takes where a file names no template: the one that Qwen and SmolLM2 use.
_CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Two characters for private use, with the message's number between them.
_MARK = re.compile("\ue000([0-9]+)\ue001")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Hold a conversation as tokens. The first `head` of them are the portal's and the template's, nobody's words."""

    tokens: list[int]
    head: int


class ChatTemplate:
    """Hold the compiled template of a model. Raise LoadError if it cannot be compiled or says nothing."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._first, self._last = model.control_texts()
        self._takes_system = True
        try:
            self._template = _environment().from_string(model.template() or _CHATML)
            self.encode((ChatMessage("user", "a"), ChatMessage("assistant", "b"), ChatMessage("user", "c")))
        except (jinja2.TemplateError, EngineError):
            raise LoadError("model_unsupported") from None
        self._takes_system = self._can_take_system()

    def _can_take_system(self) -> bool:
        try:
            return len(self._split((ChatMessage("system", "a"), ChatMessage("user", "b")))) == 5
        except EngineError:
            return False

    def encode(self, messages: tuple[ChatMessage, ...]) -> Encoded:
        """Return the tokens of a conversation up to where the answer begins. Raise EngineError if none can be made."""
        if messages[0].role == "system" and not self._takes_system:
            messages = _joined(messages)
        tokens = list(self._model.opening)
        head = 0
        parts = self._split(messages)
        for text, index in itertools.zip_longest(parts[::2], parts[1::2]):
            tokens += self._control(text, first=len(tokens))
            if index is not None:
                if messages[int(index)].role != "system":
                    head = head or len(tokens)
                tokens += self._model.tokenize(messages[int(index)].content, control=False)
        return Encoded(tokens, head)

    def _control(self, text: str, *, first: int) -> list[int]:
        """Return the tokens of the template's own text, without a second opening token."""
        tokens = self._model.tokenize(text, control=True) if text else []
        opening = self._model.opening
        return (
            tokens[len(opening) :] if opening and first == len(opening) and tokens[:1] == opening else tokens
        )

    def _split(self, messages: tuple[ChatMessage, ...]) -> list[str]:
        """Return the template's text, a message's number, the template's text, and so on."""
        marked = [{"role": m.role, "content": f"\ue000{at}\ue001"} for at, m in enumerate(messages)]
        try:
            parts = _MARK.split(self._template.render(messages=marked, **self._globals()))
        except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError):
            # The text of the error may quote the template; what it means is always the same.
            raise EngineError from None
        if [int(index) for index in parts[1::2]] != list(range(len(messages))):
            raise EngineError
        return parts

    def _globals(self) -> dict[str, Any]:
        return {
            "add_generation_prompt": True,
            "bos_token": self._first,
            "eos_token": self._last,
            "raise_exception": _refuse,
            "strftime_now": _strftime_now,
            "tools": None,
        }


def _environment() -> ImmutableSandboxedEnvironment:
    """Return what templates are written for: https://huggingface.co/docs/transformers/chat_templating."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    return environment


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.datetime.now(tz=datetime.UTC).strftime(form)


def _joined(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    """Put the system prompt before the first question, for models that were trained without one."""
    system, first, *rest = messages
    return (ChatMessage(first.role, f"{system.content}\n\n{first.content}"), *rest)
