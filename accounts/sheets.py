"""Write CSV that spreadsheets read as text and nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from accounts.names import FORMULA_STARTS


def write_sheet(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return the file, in UTF-8 with the mark that Excel needs; what looks like a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(headings)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
