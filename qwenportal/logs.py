"""Write log lines that hold no words of the people who chat.

A traceback may carry a prompt in its message, and so may a request line. Lines of other libraries are cut to what kind
of thing happened and where in the program; the portal's own lines (`portal.*`) are fixed texts with ids and numbers.
"""

from __future__ import annotations

import logging

from common.tracebacks import where


class WithoutContent(logging.Filter):
    """Replace an exception by its type and the lines of code it came through."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Strip the record of exception texts and request objects; always let it pass."""
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = where(record.exc_info[1])
            record.exc_info = None
        record.__dict__.pop("request", None)
        if record.name != "portal" and not record.name.startswith("portal."):
            record.msg, record.args = _plain(record), ()
        return True


class LineFormatter(logging.Formatter):
    """Format one line: time, level, logger, text."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")


def _plain(record: logging.LogRecord) -> str:
    """Return what of a library's line a programmer wrote, without its arguments: those may be a person's words."""
    status = getattr(record, "status_code", None)
    if status is not None:
        return f"a request was answered with {status}"
    return str(record.msg) if record.args else "an event without a fixed text"
