"""Remember which threads were measured for which model, engine and machine.

The file is small, holds nothing secret, and may be deleted at any time: the next start measures again. What it says is
checked as foreign input.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import astuple
from pathlib import Path

from inference.config import PoolConfig
from inference.engine import ThreadTrial

# Bytes and entries: far more than anybody has models.
_MAX_BYTES, _MAX_ENTRIES = 1 << 18, 256


def key_of(config: PoolConfig, *, library: str, cores: int) -> str:
    """Return a key that changes with all that decides a model's speed here."""
    parts = (config.model.digest, config.engine, library, _processor(), cores, config.slots)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _processor() -> str:
    """Return the processor's name, as far as the system tells one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "CPU part"))]
    return f"{platform.machine()} {names[0] if names else ''}"


class ThreadStore:
    """Keep trials by key in one file. One that cannot be read counts as empty, one that cannot be written is left."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, key: str, *, cores: int) -> tuple[ThreadTrial, ...]:
        """Return the trials under that key, none where there are none or they cannot be of this machine."""
        try:
            trials = tuple(
                ThreadTrial(int(threads), float(quiet), float(busy))
                for threads, quiet, busy in self._load().get(key, [])
            )
        except (TypeError, ValueError):
            return ()
        return trials if all(1 <= trial.threads <= cores for trial in trials) else ()

    def keep(self, key: str, trials: tuple[ThreadTrial, ...]) -> None:
        """Add trials; the oldest entries go when there are too many."""
        known = self._load()
        known.pop(key, None)
        known[key] = [list(astuple(trial)) for trial in trials]
        rest = dict(list(known.items())[-_MAX_ENTRIES:])
        draft = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            draft.write_text(json.dumps(rest))
            draft.replace(self._path)
        except OSError:
            draft.unlink(missing_ok=True)

    def _load(self) -> dict[str, list[list[float]]]:
        try:
            with self._path.open("rb") as file:
                known = json.loads(file.read(_MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return known if isinstance(known, dict) else {}
