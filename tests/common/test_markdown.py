"""Whatever the model writes, the page shows text and does nothing."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest

from common.markdown import render_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='https://evil.example'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>body{display:none}</style>",
    "<!-- --><script>alert(1)</script>",
    "<<script>script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:alert(1))",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/y)",
    "<javascript:alert(1)>",
    "![x](https://evil.example/x.png)",
    "![x](data:image/png;base64,AAAA)",
    "![x](javascript:alert(1))",
    "![<script>alert(1)</script>](y)",
    "![x][y]\n\n[y]: https://evil.example/x.png",
    '[x](https://e.example "onmouseover=alert(1)")',
    '[x](https://e.example" onmouseover="alert(1))',
    "```html onload=alert(1)\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "    <script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    "# <script>alert(1)</script>",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "| a |\n|:-:|\n| x |",
    "<form action=https://evil.example><input name=p></form>",
    "<math><mtext><script>alert(1)</script>",
    '<div style="position:fixed">x</div>',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content=0>",
    '<p id="words" class="gate">x</p>',
]
ALLOWED = {
    "a": {"href", "rel"},
    "div": {"class", "tabindex", "role"},
    "pre": {"tabindex"},
    "ol": {"start"},
    "td": {"class"},
    "th": {"class"},
}
FORBIDDEN = {
    "script",
    "style",
    "img",
    "iframe",
    "svg",
    "math",
    "form",
    "input",
    "base",
    "meta",
    "link",
    "object",
}


class Page(HTMLParser):
    """Collect what a browser would see as elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_acts_or_calls_out_comes_through(text: str) -> None:
    for wrapped in (text, f"> {text}", f"- {text}", f"**{text}**", f"before\n\n{text}\n\nafter"):
        page = Page(render_markdown(wrapped))
        assert not FORBIDDEN & set(page.tags)
        for tag, name, value in page.attributes:
            assert name in ALLOWED.get(tag, set()), (tag, name)
            if name == "href":
                assert re.match(r"(https?|mailto):", value), value


def test_html_is_shown_as_the_text_that_it_is() -> None:
    assert "<script>alert(1)</script>" in Page(render_markdown("<script>alert(1)</script>")).text


def test_links_tell_the_target_nothing_and_give_it_no_window() -> None:
    assert 'rel="noopener noreferrer nofollow"' in render_markdown("[x](https://example.org)")


def test_an_image_becomes_its_text() -> None:
    assert Page(render_markdown("![a <b> heron](https://e.example/x.png)")).text.strip() == "a <b> heron"


def test_the_language_of_a_code_block_is_text_and_short() -> None:
    page = Page(render_markdown("```<b>" + "x" * 1000 + "\ncode\n```"))
    assert "b" not in page.tags
    assert page.text.startswith("<b>x")
    assert len(page.text.split("code", maxsplit=1)[0]) <= 25


def test_what_people_write_in_markdown_arrives() -> None:
    html = render_markdown(
        "# T\n\n*a* **b** ~~c~~ `d`\n\n1. x\n\n| h |\n|--:|\n| 1 |\n\n---\n\n```py\nx < 1\n```"
    )
    for piece in (
        "<h2>T</h2>",
        "<em>a</em>",
        "<strong>b</strong>",
        "<s>c</s>",
        "<code>d</code>",
        "<ol>",
        "<table>",
    ):
        assert piece in html, piece
    assert "<h1" not in html
    assert "x &lt; 1" in html


MARKS = [
    "> ",
    "- ",
    "1. ",
    "*a ",
    "[",
    "![",
    "(",
    "`",
    "<b>",
    "| ",
    "#",
    "\\",
    "&#",
    "_a",
    "[a](",
    "**",
    "~~",
]


@pytest.mark.parametrize("mark", MARKS)
def test_ten_thousand_levels_of_nesting_do_no_harm(mark: str) -> None:
    started = time.process_time()
    render_markdown(mark * 10_000 + "x")
    assert time.process_time() - started < 3


@pytest.mark.parametrize("unit", ["a", "苍鹭 ", "\n", "(", "\u200b"])
def test_a_megabyte_does_no_harm(unit: str) -> None:
    started = time.process_time()
    render_markdown(unit * (1_000_000 // len(unit.encode())))
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "unit", [*MARKS, "**a** ", "[x](y) ", "`a", "| a | b |\n", "- a\n", "a\n\n", "_*", "> a\n"]
)
def test_twice_as_much_takes_no_more_than_about_twice_as_long(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        started = time.process_time()
        render_markdown(text)
        return time.process_time() - started

    assert min(seconds(40_000) for _ in range(2)) < 4 * seconds(10_000) * 2 + 0.1


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud7ff", "\u202e", "\ufeff", "a\r\nb"])
def test_odd_texts_do_no_harm(text: str) -> None:
    render_markdown(text)
