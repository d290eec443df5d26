"""Templates keep to the content security policy, show only icons that exist, and render where nothing else works."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory

from accounts.forms import SignInForm
from common.templatetags import portal

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "static").rglob("*.js"))
STYLES = sorted((ROOT / "static").rglob("*.css"))
ICON = re.compile(r'(?:icon "|glyph=")([a-z]+)"')
NEVER_INLINE = re.compile(r"<style|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
ELSEWHERE = re.compile(r"""(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9-]+\.[a-z]""", re.IGNORECASE)
SIGN_IN_BUDGET = 12_000


def read(paths: list[Path]) -> str:
    return "\n".join(path.read_text() for path in paths)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT / "templates").as_posix())
def test_a_template_compiles_and_has_nothing_inline(path: Path) -> None:
    get_template(path.relative_to(ROOT / "templates").as_posix())
    assert not NEVER_INLINE.search(path.read_text())


@pytest.mark.parametrize("path", [*TEMPLATES, *SCRIPTS, *STYLES], ids=lambda path: path.name)
def test_no_page_names_another_origin(path: Path) -> None:
    assert not ELSEWHERE.search(re.sub(r"\s//\s.*|^//.*", "", path.read_text(), flags=re.MULTILINE))


def test_every_icon_that_is_asked_for_is_drawn_and_no_other() -> None:
    asked = set(ICON.findall(read(TEMPLATES))) | {"info"}
    assert asked == set(portal.ICONS)


def test_a_misspelt_icon_fails_loudly() -> None:
    with pytest.raises(KeyError):
        portal.icon("padlock")


def test_a_labelled_icon_is_an_image_and_its_label_is_escaped() -> None:
    drawn = portal.icon("lock", label='"><script>')
    assert 'role="img"' in drawn
    assert "<script>" not in drawn


def test_fingerprints_differ_where_digests_do_and_ignore_what_is_no_digest() -> None:
    assert portal.fingerprint("0f" * 32) != portal.fingerprint("f0" * 32)
    assert "<script" not in portal.fingerprint("<script>")


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_an_error_page_renders_without_any_context(status: int) -> None:
    page = get_template(f"errors/{status}.html").render()
    assert f">{status}</p>" in page
    assert page.count("<h1") == 1


def test_scripts_ask_only_for_words_and_parts_that_the_pages_have() -> None:
    code, pages = read(SCRIPTS), read(TEMPLATES)
    words = set(re.findall(r'\bword\(\s*"([a-z.]+)"', code)) | set(re.findall(r'"(offline\.[a-z]+)"', code))
    counted = set(re.findall(r'\bcounted\("([a-z.]+)"', code))
    parts = set(re.findall(r'\bpart\("([a-z-]+)"', code)) | set(re.findall(r'\bnote\("([a-z-]+)"', code))
    assert words
    assert counted
    assert parts
    assert words | {f"{name}.other" for name in counted} <= set(re.findall(r'data-word="([a-z.]+)"', pages))
    assert parts <= set(re.findall(r'id="part-([a-z-]+)"', pages))


def test_the_sign_in_page_with_all_it_needs_is_small() -> None:
    request = RequestFactory().get("/accounts/login/")
    page = render_to_string("account/login.html", {"form": SignInForm(request=request)}, request=request)
    linked = [ROOT / "static" / name for name in re.findall(r'="/static/([a-z.]+\.(?:css|js))"', page)]
    assert [path.name for path in linked] == ["portal.css", "portal.js"]
    sizes = [len(gzip.compress(body)) for body in (page.encode(), *(path.read_bytes() for path in linked))]
    assert sum(sizes) <= SIGN_IN_BUDGET, sizes


@pytest.mark.django_db
def test_the_sign_in_page_shows_the_error_and_never_the_password() -> None:
    request = RequestFactory().get("/accounts/login/")
    form = SignInForm(
        {"organisation": "north", "login": "mei", "password": "hunter2 hunter2"}, request=request
    )
    form.full_clean()
    form.add_error(None, "Not right.")
    page = render_to_string("account/login.html", {"form": form}, request=request)
    assert "Not right." in page
    assert 'value="mei"' in page
    assert "hunter2" not in page
