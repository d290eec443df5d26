"""Render Markdown that nobody has to trust.

HTML in the source is shown as text; what comes out is cleaned again against a short list of elements, so that a flaw in
the one is held by the other. Links are kept only to http, https and mailto, and tell the target nothing; images, which
would call out, become their text.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

LANGUAGE_LENGTH = 24
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)

_TAGS = {
    "a", "blockquote", "br", "code", "del", "div", "em", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p",
    "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_WITHIN_LINE = frozenset({"a", "code", "del", "em", "s", "span", "strong"})
_ATTRIBUTES: dict[str, set[str]] = {
    "*": set(),
    "a": {"href"},
    "div": {"tabindex"},
    "ol": {"start"},
    "pre": {"tabindex"},
}
_VALUES = {
    "div": {"class": {"code", "wrap"}, "role": {"region"}},
    "td": {"class": {"r"}},
    "th": {"class": {"r"}},
}


class _Renderer(RendererHTML):
    """Markdown to the portal's own pieces: code with its language named, tables that scroll inside themselves."""

    def fence(self, tokens: list[Token], idx: int, options: OptionsDict, env: dict[str, object]) -> str:  # type: ignore[override]
        """Return a block of code; the name of the language is text like any other."""
        token = tokens[idx]
        language = (token.info.split() or [""])[0][:LANGUAGE_LENGTH]
        return _code(language, token.content)

    def code_block(self, tokens: list[Token], idx: int, options: OptionsDict, env: dict[str, object]) -> str:  # type: ignore[override]
        """Return an indented block of code."""
        return _code("", tokens[idx].content)

    def image(self, tokens: list[Token], idx: int, options: OptionsDict, env: dict[str, object]) -> str:  # type: ignore[override]
        """Return the image's text: an image would be fetched from elsewhere."""
        return html.escape(tokens[idx].content)

    def heading_open(
        self, tokens: list[Token], idx: int, options: OptionsDict, env: dict[str, object]
    ) -> str:
        """Return a heading one level down: the page has its own first heading."""
        return f"<{_lower(tokens[idx].tag)}>"

    def heading_close(
        self, tokens: list[Token], idx: int, options: OptionsDict, env: dict[str, object]
    ) -> str:
        """Close such a heading."""
        return f"</{_lower(tokens[idx].tag)}>\n"

    def table_open(self, tokens: list[Token], idx: int, options: OptionsDict, env: dict[str, object]) -> str:
        """Open a table in a box of its own that can scroll by keyboard."""
        return '<div class="wrap" tabindex="0" role="region"><table>\n'

    def table_close(self, tokens: list[Token], idx: int, options: OptionsDict, env: dict[str, object]) -> str:
        """Close it."""
        return "</table></div>\n"


def render_markdown(text: str) -> str:
    """Return safe HTML for untrusted Markdown, whatever it holds."""
    return nh3.clean(
        _parser.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        tag_attribute_values=_VALUES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


class _Visible(HTMLParser):
    """Gather what a reader sees; only elements within a line join what stands before and behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Begin a line with each block."""
        if tag not in _WITHIN_LINE:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        if tag not in _WITHIN_LINE:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Take text."""
        self.parts.append(data)


def visible_text(html_text: str) -> str:
    """Return what a reader sees of rendered Markdown: without the marks, and without the addresses of links."""
    reader = _Visible()
    reader.feed(html_text)
    reader.close()
    return "".join(reader.parts)


def _code(language: str, content: str) -> str:
    label = html.escape(language)
    code = html.escape(content)
    return f'<div class="code"><header>{label}</header><pre tabindex="0"><code>{code}</code></pre></div>\n'


def _lower(tag: str) -> str:
    return f"h{min(int(tag[1]) + 1, 6)}"


# "js-default" parses tables and strikethrough and no HTML. Deeper nesting than this loses its text.
_parser = MarkdownIt(
    "js-default", {"html": False, "linkify": False, "maxNesting": 100}, renderer_cls=_Renderer
)
# Entities stay as they are written: decoded, they would show what the output rules have not seen.
_parser.disable("entity")
# An address without a scheme would lead to another host (`//host`) or be clicked on in the portal's own name.
_parser.validateLink = lambda url: _LINK.match(url) is not None  # type: ignore[method-assign]
