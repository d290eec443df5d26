"""Read notices from Markdown files: the title as first heading, the question as first quotation, then the notice."""

from __future__ import annotations

import re
from pathlib import Path

from consent.services import NoticeText

DEFAULT_FOLDER = Path(__file__).with_name("default_notice")
_SHAPE = re.compile(r"\A# (?P<title>[^\n]+)\n+> (?P<summary>[^\n]+)\n+(?P<body>.+)\Z", re.DOTALL)


class NoticeFileError(ValueError):
    """A notice file does not have the shape that this module reads."""


def read_notice_file(path: Path) -> NoticeText:
    """Return the notice in a file. Raises NoticeFileError, which says what is missing."""
    try:
        match = _SHAPE.match(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise NoticeFileError(f"{path}: cannot be read as text") from error
    if match is None:
        raise NoticeFileError(f"{path}: needs '# title', then '> question', then the notice")
    return NoticeText(
        title=match["title"].strip(), summary=match["summary"].strip(), body=match["body"].strip()
    )


def default_notices() -> dict[str, NoticeText]:
    """Return the notice that comes with the portal, by language."""
    return {path.stem: read_notice_file(path) for path in sorted(DEFAULT_FOLDER.glob("*.md"))}
