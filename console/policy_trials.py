"""Run dry runs beside the pages: a short one is waited for, a long one shows how far it is and can be stopped.

A run belongs to the process that began it, and ends with it; then it is begun again. Only that process can stop it:
where several serve, others say that no run is under way with them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from policy.rulesets import DryRun

# Waited for before the page comes back with "running".
PATIENCE_S = 4.0
# A run that takes longer is stopped: the machine is there for conversations.
LONGEST_S = 300.0
MAX_RUNNING = 2


class TrialStopped(Exception):
    """Somebody stopped the run, or it took too long."""


Store = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Trial:
    """One run: how far it is, what it found, and whether it is to stop. `figures` is empty until it is complete."""

    run: DryRun
    done: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)
    is_stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _store: Store | None = None

    def work(self) -> None:
        """Measure, until it is done or stopped."""
        end = time.monotonic() + LONGEST_S
        try:
            self.figures = self.run.measure(tick=lambda: self._tick(end))
        except TrialStopped:
            self.is_stopped = True
        with self._lock:
            self.ended.set()
        if self._store is not None and self.figures:
            self._store(self.figures)

    def leave(self, store: Store) -> bool:
        """Have the figures stored by the run's own thread; False where it has ended already."""
        with self._lock:
            if self.ended.is_set():
                return False
            self._store = store
            return True

    def _tick(self, end: float) -> None:
        if self.is_stopped or time.monotonic() > end:
            raise TrialStopped
        self.done += 1


class Trials:
    """The runs of this process, by version."""

    def __init__(self) -> None:
        self._known: dict[UUID, Trial] = {}
        self._lock = threading.Lock()

    def begin(self, version_id: UUID, run: DryRun) -> Trial | None:
        """Begin a run, or return the one that is under way; None where too many are."""
        with self._lock:
            known = self._known.get(version_id)
            if known is not None and not known.ended.is_set():
                return known
            if sum(not trial.ended.is_set() for trial in self._known.values()) >= MAX_RUNNING:
                return None
            trial = self._known[version_id] = Trial(run)
        threading.Thread(target=trial.work, name="dry-run", daemon=True).start()
        return trial

    def running(self, version_id: UUID) -> Trial | None:
        """Return the run of a version that is under way, or None."""
        known = self._known.get(version_id)
        return known if known is not None and not known.ended.is_set() else None

    def stop(self, version_id: UUID) -> bool:
        """Stop the run of a version; False where none is under way in this process."""
        known = self.running(version_id)
        if known is None:
            return False
        known.is_stopped = True
        return True


TRIALS = Trials()
