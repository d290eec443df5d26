"""Send each conversation back to the engine slot that still holds its beginning.

An engine that picks slots by itself takes any that shares the system prompt, and so throws away one
person's conversation for another's while a slot stands empty. A second turn on its own slot costs a
fiftieth of the work.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from inference.engine import ChatMessage, Origin
from inference.engines.origins import NOBODY, covers, is_same_person

Messages = tuple[ChatMessage, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """Hold a slot, the version of the conversation that it knows best, and whether its text may be used again."""

    slot: int
    version: Messages | None
    is_own: bool


class SlotBook:
    """Keep what each slot has processed last, as hashes, and whose it was: this book holds no words.

    A slot that another person has used is handed over, but nothing in it is used again: otherwise the time to the
    first word would tell one person what another has written.
    """

    def __init__(self, slots: int) -> None:
        self._changed = threading.Condition()
        self._known: dict[int, tuple[int, ...]] = dict.fromkeys(range(slots), ())
        self._origins: dict[int, Origin] = dict.fromkeys(range(slots), NOBODY)
        # Free slots, the one that was used longest ago first.
        self._free: list[int] = list(range(slots))

    def take(self, candidates: Iterable[Messages], origin: Origin) -> Taken:
        """Take a free slot for a conversation of which the candidates are shorter and shorter versions.

        It is the person's own slot that holds most of it, else the one that was used longest ago. The pool counts a
        slot as free that `seize` holds: wait until it is.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            own = [slot for slot in self._free if is_same_person(self._origins[slot], origin)]
            best, chosen, version = 0, self._free[0], None
            for candidate in candidates:
                hashes = _hashes(candidate)
                for slot in own:
                    if (shared := _shared(hashes, self._known[slot])) > best:
                        best, chosen, version = shared, slot, candidate
            self._free.remove(chosen)
            self._origins[chosen] = origin
            return Taken(chosen, version, chosen in own)

    def give_back(self, slot: int, messages: Messages) -> None:
        """Note that the slot is free and holds this conversation, without the system prompt's share."""
        with self._changed:
            self._known[slot] = _hashes(messages) if messages else ()
            self._free.append(slot)
            self._changed.notify_all()

    def holding(self, origin: Origin) -> list[int]:
        """Return the slots that hold text of that origin, those in use included."""
        with self._changed:
            return [slot for slot, held in self._origins.items() if held != NOBODY and covers(origin, held)]

    def seize(self, slot: int, origin: Origin) -> bool:
        """Wait until the slot is free and take it. Return False if it holds another's text by then."""
        with self._changed:
            self._changed.wait_for(lambda: slot in self._free)
            if not covers(origin, self._origins[slot]):
                return False
            self._free.remove(slot)
            self._origins[slot] = NOBODY
            return True


def _hashes(messages: Messages) -> tuple[int, ...]:
    """Hash the messages after the system prompt, each together with it: all people share that one."""
    system = messages[0].content if messages[0].role == "system" else ""
    said = messages[1:] if messages[0].role == "system" else messages
    return tuple(hash((system, message.role, message.content)) for message in said)


def _shared(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
