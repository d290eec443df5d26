"""Open llama.cpp's own interface, without what the `llama_cpp` package puts around it.

The package's `__init__` loads a web client, a disk cache that unpickles, and numpy: a second of start-up and 60 MB for
what is never used here. The module that declares the C functions needs none of them.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
import types
from typing import Any

_PACKAGE = "llama_cpp"
Library = Any


def open_library() -> Library:
    """Return the module of C functions. Raise ImportError if it is not installed or does not fit this machine."""
    if _PACKAGE not in sys.modules:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise ImportError(_PACKAGE)
        package = types.ModuleType(_PACKAGE)
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec  # Without one, whoever asks whether the package is there gets a ValueError.
        sys.modules[_PACKAGE] = package
    # Where the library gives up, it would start a debugger on this process.
    os.environ["GGML_NO_BACKTRACE"] = "1"
    try:
        return importlib.import_module(f"{_PACKAGE}.llama_cpp")
    except (RuntimeError, FileNotFoundError, OSError):
        raise ImportError(_PACKAGE) from None


def schema_converter() -> Any:
    """Return the function that makes a grammar of a JSON schema."""
    return importlib.import_module(f"{_PACKAGE}.llama_grammar").json_schema_to_gbnf


class LogEar:
    """Hear what the library logs while it loads a model, and nothing afterwards.

    Its lines may quote a prompt, so none goes anywhere; while loading, they tell why that failed.
    """

    def __init__(self, library: Library) -> None:
        self._lines: list[bytes] | None = []
        self._callback = library.llama_log_callback(self._hear)
        library.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _hear(self, _level: int, text: bytes, _data: int | None) -> None:
        if self._lines is not None and len(self._lines) < 10_000:
            self._lines.append(text)

    def close(self) -> bytes:
        """Return what was heard in lower case, and listen no more."""
        heard = b"".join(self._lines or ()).lower()
        self._lines = None
        return heard
