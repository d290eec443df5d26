"""Choose the engine of a pool, without loading any engine's library into the process that asks."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Literal

from inference.engine import EngineName

EngineChoice = Literal["auto", "native", "llamacpp", "ctransformers", "scripted"]

# Written by `make native` into the virtual environment: the processor that the library was built for.
_STAMP = Path(sys.prefix) / ".native"
_FEATURES = ("flags", "features", "isa")


def choose_engine(wanted: EngineChoice, *, file_format: str = "gguf") -> EngineName:
    """Return the engine of that name; for `auto`, the best that reads such a file.

    That is ctransformers for GGML, else native where it was built for this very processor, else llamacpp.

    An engine that was named is never replaced by another one: where it is missing, its worker says so.
    """
    if wanted != "auto":
        return wanted
    if file_format == "ggml":
        return "ctransformers"
    return "native" if fits_here() else "llamacpp"


def fits_here(stamp: Path = _STAMP) -> bool:
    """Say whether the native engine is installed and was built for a processor like this one.

    Built for another one, it would die of an instruction that this one does not know.
    """
    if importlib.util.find_spec("llama_cpp") is None:
        return False
    try:
        return stamp.read_text().split()[:1] == [processor()]
    except OSError:
        return False


@cache
def processor() -> str:
    """Return a name for all processors that know the same instructions."""
    features = set()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in _FEATURES:
            features.update(value.split())
    named = " ".join([platform.machine(), *sorted(features)])
    return hashlib.sha256(named.encode()).hexdigest()[:16]


if __name__ == "__main__":
    sys.stdout.write(f"{processor()}\n")
