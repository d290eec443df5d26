"""Draw a text as a QR code, as the path of an SVG: it stands in the page itself, which may load no image from data."""

from __future__ import annotations

from dataclasses import dataclass

from qrcode.main import QRCode

QUIET_ZONE = 4


@dataclass(frozen=True, slots=True)
class Drawing:
    """A square of `size` units, and the path that is dark in it."""

    size: int
    path: str


def draw_code(text: str) -> Drawing:
    """Return the drawing, with its quiet zone."""
    code = QRCode(border=QUIET_ZONE)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return Drawing(size=len(rows), path="".join(dark))
