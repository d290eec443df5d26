"""Say where an exception came from without its words, which may be a person's."""

from __future__ import annotations

import traceback


def where(error: BaseException) -> str:
    """Return an exception's type and stack, without its message and without source lines."""
    frames = traceback.extract_tb(error.__traceback__)
    stack = "\n".join(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at\n{stack}"
