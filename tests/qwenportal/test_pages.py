"""Every page, errors included, keeps the browser to what the portal needs, and every error has a page."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import clear_url_caches, path, reverse

from chat.runtime import Runtime
from common.errors import PortalError
from crypto.errors import KeyUnavailable
from qwenportal import urls
from qwenportal.logs import LineFormatter, WithoutContent
from tests.conftest import Cast
from tests.qwenportal.support import browser
from tests.walls.conftest import stage  # noqa: F401 - a fixture
from tests.walls.stage import Stage
from tests.walls.table import PEOPLE, ROWS

CANARY = "a heron told me so"
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'",
    "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "manifest-src 'self'",
}  # fmt: skip
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def check_page(response: Any) -> None:
    """Fail where a header is missing or a page has what the policy would not run anyway."""
    assert set(response["Content-Security-Policy"].split("; ")) == POLICY
    assert {name: response[name] for name in HEADERS} == HEADERS
    assert "no-store" in response["Cache-Control"]
    assert re.fullmatch(r"[0-9a-f]{12}", response["X-Request-ID"])
    text = response.text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    for script in re.findall(r"<script[^>]*>", text):
        assert 'src="/static/' in script or 'type="application/json"' in script, script  # data is not run
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', text):
        # Elsewhere lead links to the organisation's own sign-in page only: the stage's is this one.
        assert address.startswith(("/", "#", "?", "https://cas.example.org/")) or address == "", address
        assert not address.startswith("//")


def test_every_answer_has_the_headers_and_nothing_inline(stage: Stage) -> None:  # noqa: F811 - the fixture
    """One answer of each kind that an address gives, to the first person who gets it."""
    seen = set()
    for row in ROWS:
        for status in set(row.statuses.values()):
            who = next(who for who in PEOPLE if row.statuses[who] == status)
            response = stage.ask(row, who)
            check_page(response)
            seen.add(response.status_code)
        check_page(response := stage.ask(row, "owner", method="DELETE"))
        seen.add(response.status_code)
    assert {200, 302, 404, 405, 503} <= seen


def explode(error: Exception) -> Any:
    def view(_request: HttpRequest) -> HttpResponse:
        raise error

    return view


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Exception], None]]:
    """Return how to make an address, /broken, that raises something."""

    def break_with(error: Exception) -> None:
        view = login_not_required(explode(error))
        monkeypatch.setattr(urls, "urlpatterns", [path("broken", view), *urls.urlpatterns])
        clear_url_caches()

    yield break_with
    monkeypatch.undo()
    clear_url_caches()


def test_an_unknown_address_is_a_page(cast: Cast) -> None:
    for client in (browser(None), browser(cast.member), browser(cast.operator)):
        response = client.get("/no/such/page", {"q": CANARY})
        assert response.status_code == 404
        assert "This page was not found" in response.text
        assert CANARY not in response.text
        check_page(response)


def test_a_form_from_elsewhere_is_a_page(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True, headers={"accept-language": "en"})
    response = client.post("/accounts/login/", {"login": CANARY})
    assert response.status_code == 403
    assert CANARY not in response.text
    check_page(response)


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "[::1", "a b"])
def test_another_host_name_is_a_page(host: str, db: None) -> None:
    response = Client(raise_request_exception=False).get("/accounts/login/", HTTP_HOST=host)
    assert response.status_code == 400
    assert host not in response.text
    check_page(response)


def test_a_request_that_cannot_be_understood_is_a_page(broken: Callable[[Exception], None], db: None) -> None:
    broken(SuspiciousOperation(CANARY))
    response = browser(None).get("/broken")
    assert response.status_code == 400
    assert CANARY not in response.text
    check_page(response)


@pytest.mark.parametrize(
    "error", [RuntimeError(CANARY), KeyError(CANARY), DatabaseError(CANARY), ValueError(CANARY)]
)
def test_a_fault_is_a_page_with_the_requests_number_and_without_its_words(
    error: Exception,
    broken: Callable[[Exception], None],
    db: None,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken(error)
    response = browser(None).get("/broken", {"q": CANARY}, headers={"user-agent": CANARY})
    assert response.status_code == 500
    assert response["X-Request-ID"] in response.text
    check_page(response)
    logged = "".join(capfd.readouterr()) + caplog.text
    assert type(error).__name__ in logged
    for text in (response.text, logged):
        assert CANARY not in text


def test_an_error_of_the_portal_is_a_page_that_says_when_to_try_again(
    broken: Callable[[Exception], None], db: None
) -> None:
    class Busy(PortalError):
        code, http_status, message = "busy", 503, "The portal is busy."

    broken(Busy(retry_after_ms=2500))
    response = browser(None).get("/broken")
    assert (response.status_code, response["Retry-After"]) == (503, "3")
    check_page(response)


def test_a_large_form_is_refused(cast: Cast) -> None:
    response = browser(None).post("/accounts/login/", {"login": "x" * 1_100_000})
    assert response.status_code == 400
    many = {f"field{number}": "x" for number in range(101)}
    assert browser(None).post("/accounts/login/", many).status_code == 400


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_choosing_a_language_leads_to_no_other_host(target: str, db: None) -> None:
    response = browser(None).post("/i18n/setlang/", {"language": "en", "next": target})
    assert (response.status_code, response["Location"]) == (302, "/")


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(cast: Cast) -> None:
    client = browser(None)
    client.post(
        "/accounts/login/",
        {"organisation": "north", "login": "mei", "password": "a quiet heron by the river"},
    )
    cookie = client.cookies["portal_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["expires"]) == (True, "Lax", "")


# --- health ---------------------------------------------------------------------------------------------------------
def test_the_process_is_healthy_without_asking_anything(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def engine(monkeypatch: pytest.MonkeyPatch, *states: str, is_settled: bool = True) -> None:
    """Let the models in use have pools in these states."""
    process, digests = Runtime(), [str(number) for number in range(len(states))]
    pools = {
        digest: SimpleNamespace(state=state, config=SimpleNamespace(model=SimpleNamespace(digest=digest)))
        for digest, state in zip(digests, states, strict=True)
    }
    process.serving.fleet = SimpleNamespace(pools=pools)  # type: ignore[assignment]
    process.serving.is_settled = is_settled
    monkeypatch.setattr("qwenportal.views.runtime", lambda: process)


def test_the_portal_is_ready_when_database_keys_and_engine_are(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(monkeypatch, "ready")
    response = client.get(reverse("readyz"))
    checks = {"database": "ok", "keys": "ok", "engine": "ok"}
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": checks})


@pytest.mark.parametrize(
    ("states", "is_settled"),
    [(("ready", "failed"), True), (("starting", "ready"), True), (("ready",), False)],
)
def test_the_portal_is_ready_in_part_where_one_of_several_models_is_not(
    states: tuple[str, ...],
    is_settled: bool,
    cast: Cast,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine(monkeypatch, *states, is_settled=is_settled)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"] == {"database": "ok", "keys": "ok", "engine": "partly"}


@pytest.mark.parametrize("states", [("starting",), ("failed", "restarting"), ()])
def test_the_portal_is_not_ready_without_its_engine(
    states: tuple[str, ...], cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(monkeypatch, *states)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "ok", "keys": "ok", "engine": "unavailable"}


def test_the_portal_is_not_ready_without_its_keys(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable() -> None:
        raise KeyUnavailable(CANARY)

    engine(monkeypatch, "ready")
    monkeypatch.setattr("qwenportal.views.check_keys", unavailable)
    response = client.get("/readyz")
    assert CANARY not in response.text
    assert (response.status_code, response.json()["checks"]["keys"]) == (503, "unavailable")


def test_the_portal_is_not_ready_without_its_database(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def cursor(self) -> Any:
            raise DatabaseError(CANARY)

    engine(monkeypatch, "ready")
    monkeypatch.setattr("qwenportal.views.connection", Gone())
    response = client.get("/readyz")
    assert (response.status_code, response.json()["checks"]["database"]) == (503, "unavailable")
    assert CANARY not in response.text


# --- log lines ------------------------------------------------------------------------------------------------------
def logged(name: str, message: str, *args: object, exc_info: Any = None, **extra: object) -> str:
    """Return the line that our handler would write."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(WithoutContent())
    handler.setFormatter(LineFormatter())
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, args, exc_info)
    record.__dict__ |= extra
    handler.handle(record)
    return stream.getvalue()


def fail_because() -> None:
    raise ValueError(CANARY)


def break_and_log(name: str) -> str:
    try:
        try:
            fail_because()
        except ValueError as error:
            raise RuntimeError(f"because {CANARY}") from error
    except RuntimeError:
        line = logged(name, "it broke", exc_info=sys.exc_info())
    return line


@pytest.mark.parametrize("name", ["django.request", "daphne.server", "portal.web", "asyncio", "portalocker"])
def test_a_log_line_tells_where_a_fault_came_from_and_not_what_it_said(name: str) -> None:
    line = break_and_log(name)
    assert "RuntimeError at" in line
    assert "break_and_log" in line
    assert CANARY not in line


@pytest.mark.parametrize(
    ("message", "args"),
    [(CANARY, ()), ("%s", (CANARY,)), ("said %s at %d", (CANARY, 7)), (f"no arguments, {CANARY}", ())],
)
@pytest.mark.parametrize("name", ["django", "axes", "asyncio", "portalocker", "root"])
def test_what_a_library_logs_comes_without_its_arguments(
    name: str, message: str, args: tuple[object, ...]
) -> None:
    line = logged(name, message, *args, request=CANARY)
    assert CANARY not in line
    assert line.count("\n") == 1


def test_our_own_lines_are_written_as_they_are() -> None:
    assert "turn 7 ended" in logged("portal.runtime", "turn %d ended", 7)


def test_a_refused_request_is_logged_by_its_status_only() -> None:
    line = logged("django.request", "Not Found: %s", f"/{CANARY}", status_code=404)
    assert "a request was answered with 404" in line
    assert CANARY not in line
