"""Send each conversation back to the engine slot that still holds its beginning.

An engine that picks slots by itself takes any that shares the system prompt, and so throws away one
person's conversation for another's while a slot stands empty. A second turn on its own slot costs a
fiftieth of the work.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable

from inference.engine import ChatMessage

Messages = tuple[ChatMessage, ...]


class SlotBook:
    """Keep what each slot has processed last, as hashes: this book holds no words."""

    def __init__(self, slots: int) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, tuple[int, ...]] = dict.fromkeys(range(slots), ())
        # Free slots, the one that was used longest ago first.
        self._free: list[int] = list(range(slots))

    def take(self, candidates: Iterable[Messages]) -> tuple[int, Messages | None]:
        """Take a free slot for a conversation of which the candidates are shorter and shorter versions.

        Return the slot and the version of which it holds most. None stands for no version: then the slot is
        the one that was used longest ago.
        """
        with self._lock:
            best, chosen, version = 0, self._free[0], None
            for candidate in candidates:
                hashes = _hashes(candidate)
                for slot in self._free:
                    if (shared := _shared(hashes, self._known[slot])) > best:
                        best, chosen, version = shared, slot, candidate
            self._free.remove(chosen)
            return chosen, version

    def give_back(self, slot: int, messages: Messages) -> None:
        """Note that the slot is free and holds this conversation, without the system prompt's share."""
        with self._lock:
            self._known[slot] = _hashes(messages)
            self._free.append(slot)


def _hashes(messages: Messages) -> tuple[int, ...]:
    """Hash the messages after the system prompt, each together with it: all people share that one."""
    system = messages[0].content if messages[0].role == "system" else ""
    said = messages[1:] if messages[0].role == "system" else messages
    return tuple(hash((system, message.role, message.content)) for message in said)


def _shared(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
