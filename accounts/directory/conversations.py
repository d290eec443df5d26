"""Speak with directories in threads of their own, few at once and never for long.

libldap bounds how long it waits for a server, but not a name that does not resolve nor a server that answers drop by
drop. So whoever waits, waits for a thread, and goes away when the time is up; the thread ends by itself. A directory
that hangs can hold no more than its own share of the threads, and nobody else's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from uuid import UUID

from accounts.directory.failures import DirectoryUnavailable

R = TypeVar("R")

AT_ONCE = 16
AT_ONCE_EACH = 4


class Conversations:
    """Hold conversations, at most `at_once`, and at most `each` with one directory."""

    def __init__(self, *, at_once: int = AT_ONCE, each: int = AT_ONCE_EACH) -> None:
        self._each = each
        self._all = threading.BoundedSemaphore(at_once)
        self._of: dict[UUID, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    def hold(self, directory: UUID, talk: Callable[[], R], *, within_s: float) -> R:
        """Return what `talk` returns, or raise what it raises, within this time.

        Raises DirectoryUnavailable: `busy` where no thread became free, `no_answer` where the time is up.
        """
        until = time.monotonic() + within_s
        places = (self._place_of(directory), self._all)
        self._take(places, until=until)
        answer: Future[R] = Future()

        def run() -> None:
            try:
                answer.set_result(talk())
            except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
                answer.set_exception(error)
            finally:
                for place in places:
                    place.release()

        threading.Thread(target=run, name="directory", daemon=True).start()
        try:
            return answer.result(timeout=max(0.0, until - time.monotonic()))
        except TimeoutError:
            raise DirectoryUnavailable("no_answer") from None

    def _place_of(self, directory: UUID) -> threading.BoundedSemaphore:
        with self._lock:
            return self._of.setdefault(directory, threading.BoundedSemaphore(self._each))

    def _take(self, places: tuple[threading.BoundedSemaphore, ...], *, until: float) -> None:
        taken: list[threading.BoundedSemaphore] = []
        for place in places:
            if not place.acquire(timeout=max(0.0, until - time.monotonic())):
                for each in taken:
                    each.release()
                raise DirectoryUnavailable("busy")
            taken.append(place)


conversations = Conversations()
