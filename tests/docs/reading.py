"""Read the repository's documents: tables, links and headings."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "var", "node_modules"}
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)


def text_of(name: str) -> str:
    """Return a file of the repository."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def markdown_files() -> list[Path]:
    """Return every Markdown file of the repository."""
    found = REPOSITORY.rglob("*.md")
    return sorted(
        path for path in found if not NOT_OURS.intersection(path.relative_to(REPOSITORY).parts[:-1])
    )


def links_of(path: Path) -> list[str]:
    """Return the targets of a document's links, those in examples left out."""
    return _LINK.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))


def anchors_of(path: Path) -> set[str]:
    """Return the anchors that headings make: lower case, no punctuation, hyphens for spaces."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def table_rows(name: str) -> dict[str, list[str]]:
    """Return the rows of every table of a document by the first name in backticks in their first cell."""
    rows: dict[str, list[str]] = {}
    for line in text_of(name).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        first = re.search(r"`([^`]+)`", cells[0]) if line.startswith("|") else None
        if first:
            rows[first.group(1)] = cells
    return rows


def required_packages() -> set[str]:
    """Return the names in requirements/*.in."""
    return {
        name.lower()
        for path in sorted((REPOSITORY / "requirements").glob("*.in"))
        for name in _REQUIREMENT.findall(path.read_text(encoding="utf-8"))
    }
