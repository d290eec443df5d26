"""Weigh a page with everything that a browser fetches for it, as it comes over the wire."""

from __future__ import annotations

import gzip
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser

_LINK_KINDS = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
_IMPORTED = re.compile(
    r"""^\s*(?:import|export)\s*(?:[\w$*{},\s]*\bfrom\s*)?["']([^"']+)["']""", re.MULTILINE
)
_CSS_URL = re.compile(r"""url\(\s*["']?(?!data:|#)([^"')]+)|@import\s+["']([^"']+)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWeight:
    """Requests of a page, and the bytes of their bodies as sent; `stylesheets` are among the requests."""

    requests: int
    bytes_sent: int
    stylesheets: int
    stylesheet_bytes: int


def weigh(url: str) -> PageWeight:
    """Fetch a page with an empty cache, accepting gzip, and whatever it and its parts refer to."""
    waiting, seen = [url], dict[str, tuple[str, int]]()
    while waiting:
        address = waiting.pop()
        kind, sent, text = _fetch(address)
        seen[address] = (kind, sent)
        waiting += [link for link in _links(kind, text, address) if link not in seen and link not in waiting]
    sheets = [sent for kind, sent in seen.values() if kind == "text/css"]
    return PageWeight(
        requests=len(seen),
        bytes_sent=sum(sent for _kind, sent in seen.values()),
        stylesheets=len(sheets),
        stylesheet_bytes=sum(sheets),
    )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a browser would fetch for this element."""
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and _LINK_KINDS & set(given.get("rel", "").split()):
            self.found.append(given.get("href", ""))
        elif tag in {"script", "img", "source", "iframe"}:
            self.found.append(given.get("src", ""))
        elif tag == "use":
            self.found.append(given.get("href", "") or given.get("xlink:href", ""))


def _links(kind: str, text: str, base: str) -> list[str]:
    if kind == "text/html":
        parser = _Links()
        parser.feed(text)
        found = parser.found
    elif kind == "text/css":
        found = [first or second for first, second in _CSS_URL.findall(text)]
    elif kind.endswith("javascript"):
        found = _IMPORTED.findall(text)
    else:
        found = []
    absolute = [urllib.parse.urljoin(base, link.partition("#")[0]) for link in found]
    host = urllib.parse.urlsplit(base).netloc
    return [link for link in absolute if link != base and urllib.parse.urlsplit(link).netloc == host]


def _fetch(url: str) -> tuple[str, int, str]:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})  # noqa: S310 - our own portal
    with urllib.request.urlopen(request) as response:  # noqa: S310
        body = response.read()
        encoding = response.headers.get("Content-Encoding", "")
        kind = response.headers.get_content_type()
    clear = gzip.decompress(body) if encoding == "gzip" else body
    return kind, len(body), clear.decode("utf-8", "replace")
