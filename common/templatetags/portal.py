"""Draw icons and fingerprints inside pages, so that a page needs no sprite and no second request."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

ICONS_FILE = Path(__file__).resolve().parents[2] / "static" / "icons.svg"
SVG = "{http://www.w3.org/2000/svg}"
FINGERPRINT_HEIGHT = 16


def read_icons(path: Path) -> dict[str, tuple[str, SafeString]]:
    """Return name → (view box, drawing) of every symbol in the file; the file is ours, hence safe."""
    ElementTree.register_namespace("", SVG[1:-1])
    symbols = ElementTree.parse(path).getroot().iter(f"{SVG}symbol")  # noqa: S314 - our own file, not input
    return {symbol.attrib["id"]: (symbol.attrib["viewBox"], _drawing(symbol)) for symbol in symbols}


def _drawing(symbol: ElementTree.Element) -> SafeString:
    """Return the symbol's children as markup without the name space, which HTML does not want."""
    shapes = (ElementTree.tostring(shape, encoding="unicode").strip() for shape in symbol)
    return mark_safe("".join(shape.replace(f' xmlns="{SVG[1:-1]}"', "") for shape in shapes))  # noqa: S308


ICONS = read_icons(ICONS_FILE)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Return the icon as inline SVG: decorative, or with `label` an image that has this name.

    Raises KeyError for an icon that does not exist, so that a misspelt name fails the first test of its page.
    """
    view_box, drawing = ICONS[name]
    if label:
        return format_html(
            '<svg class="i" viewBox="{}" role="img" aria-label="{}">{}</svg>', view_box, label, drawing
        )
    return format_html('<svg class="i" viewBox="{}" aria-hidden="true">{}</svg>', view_box, drawing)


@register.filter
def seconds(milliseconds: float | None) -> str:
    """Return milliseconds as seconds with one decimal in the current language's notation; nothing for nothing."""
    return "" if milliseconds is None else number_format(f"{milliseconds / 1000:.1f}", decimal_pos=1)


@register.filter
def filesize(size_bytes: int) -> str:
    """Return the size of a file as its publisher states it: a MB is a million bytes."""
    return f"{size_bytes / 1e9:.2f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


@register.filter
def grouped(number: int | None) -> str:
    """Return a whole number with a comma after each three digits, as both languages of the portal write it."""
    return "" if number is None else f"{number:,}"


@register.simple_tag
def fingerprint(digest: str, bars: int = 16) -> SafeString:
    """Return a bar code of the digest's first nibbles, to compare two by eye; the text stays the authority.

    `digest` is hexadecimal; what is not draws nothing.
    """
    nibbles = [int(letter, 16) for letter in digest[:bars] if letter in "0123456789abcdef"]
    path = "".join(f"M{1 + 3 * at} {15 - nibble}V{FINGERPRINT_HEIGHT}" for at, nibble in enumerate(nibbles))
    return format_html(
        '<svg class="fp" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">'
        '<path d="{2}" stroke="currentColor" stroke-width="2" fill="none"/></svg>',
        3 * bars,
        FINGERPRINT_HEIGHT,
        path,
    )
