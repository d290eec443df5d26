"""Keep the store of model files tidy: what a killed import or worker left behind is removed, or told."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from django.conf import settings

from inference.process import sweep_scratch
from registry.models import ModelArtifact

# Seconds after which nobody can be at work on something any more that has not changed since.
ABANDONED_S = 3600
# When it was written, and when it got its name.
TIMES = ("st_mtime", "st_ctime")
# Of drafts of files, and of the folder into which the starter model's package is unpacked.
DRAFTS = ("import-*.tmp", "starter.tmp")


def sweep_store() -> list[str]:
    """Remove what killed imports and workers left behind; return the names. What still grows is somebody's.

    Broken downloads stay: the next one goes on from there.
    """
    folder = Path(settings.PORTAL.models_dir)
    drafts = (path for pattern in DRAFTS for path in folder.glob(pattern))
    found = [path for path in drafts if _is_abandoned(path, times=("st_mtime",))]
    for path in found:
        _remove(path)
    return [path.name for path in found] + sweep_scratch(older_than_s=ABANDONED_S)


def unlisted_files() -> list[Path]:
    """Return files in the store that no artefact names, as an import leaves them that is killed at its very end.

    They are not removed: somebody may have put them there. Importing the same file again takes them in.
    """
    folder = Path(settings.PORTAL.models_dir)
    known = {f"{sha256}.{form}" for sha256, form in ModelArtifact.objects.values_list("sha256", "format")}
    files = (path for pattern in ("*.gguf", "*.ggml") for path in folder.glob(pattern))
    return sorted(path for path in files if path.name not in known and _is_abandoned(path, times=TIMES))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink()


def _is_abandoned(path: Path, *, times: tuple[str, ...]) -> bool:
    """Return whether nothing has happened to a file for long; one that is gone meanwhile is somebody's."""
    try:
        found = path.lstat()
    except OSError:
        return False
    newest: float = max(getattr(found, name) for name in times)
    return time.time() - newest > ABANDONED_S
