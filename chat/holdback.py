"""Remember which models did not load, and when each is tried again: later and later, at once when its file changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from registry.models import ModelArtifact

# Seconds before the second try, which doubles up to the longest.
FIRST_S, LONGEST_S = 30.0, 900.0

Stamp = tuple[int, ...]
GONE: Stamp = ()


@dataclass(slots=True)
class Failure:
    """Hold how often a model failed in a row, when it is due again, and how its file was then."""

    path: Path
    times: int
    due: float
    stamp: Stamp


class Holdback:
    """Keep models that did not load out of use for a while. It knows no clock: whoever asks says what time it is."""

    def __init__(self) -> None:
        self._failures: dict[str, Failure] = {}

    def note(self, digest: str, path: Path, *, now: float) -> None:
        """Note that a model did not load."""
        before = self._failures.get(digest)
        times = before.times + 1 if before else 1
        pause_s = min(FIRST_S * 2 ** (times - 1), LONGEST_S)
        self._failures[digest] = Failure(path, times, now + pause_s, stamp_of(path))

    def holds(self, digest: str, *, now: float) -> bool:
        """Return whether a model is not to be tried now."""
        failure = self._failures.get(digest)
        return failure is not None and now < failure.due

    def release(self, digests: Iterable[str], *, now: float) -> None:
        """Let models be tried at once."""
        for digest in digests:
            if digest in self._failures:
                self._failures[digest].due = now

    def release_changed(self, *, now: float) -> None:
        """Let those be tried at once whose file was written since, or has come back."""
        changed = [
            digest for digest, failure in self._failures.items() if stamp_of(failure.path) != failure.stamp
        ]
        self.release(changed, now=now)

    def due(self, *, now: float) -> frozenset[str]:
        """Return which models may be tried again."""
        return frozenset(digest for digest, failure in self._failures.items() if failure.due <= now)

    def forget(self, digest: str) -> None:
        """Forget a model: it has loaded, or is not wanted any more."""
        self._failures.pop(digest, None)

    @property
    def digests(self) -> frozenset[str]:
        """Return which models did not load."""
        return frozenset(self._failures)


class Mending:
    """Notice when the file of a model that was stopped is written anew or has come back."""

    def __init__(self) -> None:
        self._looked: dict[str, Stamp] = {}
        self._last: dict[str, Stamp] = {}
        self._changed: dict[str, ModelArtifact] = {}

    def look(self, stopped: Iterable[ModelArtifact]) -> bool:
        """Return whether a file is another than when it was last looked at; one that still grows is left alone.

        The first time every file is: it may have been repaired while no server ran.
        """
        rows = tuple(stopped)
        now = {row.sha256: stamp_of(row.path) for row in rows}
        settled = {digest for digest, stamp in now.items() if self._last.get(digest) == stamp}
        changed = {digest for digest in settled if now[digest] != self._looked.get(digest)}
        kept = {digest: stamp for digest, stamp in self._looked.items() if digest in now}
        self._looked = kept | {digest: now[digest] for digest in changed}
        self._changed |= {
            row.sha256: row for row in rows if row.sha256 in changed and now[row.sha256] != GONE
        }
        self._last = now
        return bool(self._changed)

    @property
    def waiting(self) -> list[ModelArtifact]:
        """Return what has to be looked at."""
        return list(self._changed.values())

    def settle(self, artifact: ModelArtifact) -> None:
        """Note that an artefact was looked at."""
        self._changed.pop(artifact.sha256, None)


def stamp_of(path: Path) -> Stamp:
    """Return what changes when somebody writes a file or puts another in its place; GONE where there is none."""
    try:
        found = path.stat()
    except OSError:
        return GONE
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
