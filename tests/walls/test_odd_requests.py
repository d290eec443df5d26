"""What a request says of itself beside its address, method and fields changes nothing."""

from __future__ import annotations

import http.client
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http.request import HttpHeaders
from django.test import Client

from accounts.models import User
from tests.conftest import PASSWORD, Cast
from tests.qwenportal.support import browser
from tests.walls.house import House
from tests.walls.stage import FORM, Stage
from tests.walls.table import HERE, ROWS
from tests.walls.test_replay import form_of, parameters

# What proxies, old frameworks and sign-in gateways let a client, or themselves, say.
SPOOFED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "444",
    "X-Forwarded-For": "127.0.0.1, ::1",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=127.0.0.1;host=evil.example;proto=https",
    "X-Real-IP": "127.0.0.1",
    "X-Original-URL": "/console/",
    "X-Rewrite-URL": "/console/",
    "X-Original-Method": "POST",
    "X-HTTP-Method": "DELETE",
    "X-HTTP-Method-Override": "DELETE",
    "X-Method-Override": "DELETE",
    "Remote-User": "north/wei",
    "X-Remote-User": "north/wei",
    "X-Forwarded-User": "north/wei",
    "X-Request-ID": "<script>evil.example</script>",
    "Authorization": "Basic bm9ydGgvd2VpOg==",
    "Referer": "https://evil.example/",
}
ELSEWHERE = (
    "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "https:evil.example", "http:///evil.example", "javascript:alert(1)", "data:text/html,x",
    "/%09/evil.example", "/\t/evil.example", " //evil.example", "https://testserver@evil.example/",
    "https://testserver.evil.example/", "https://evil.example\\@testserver/",
)  # fmt: skip
NEXTS = ("next", "redirect", "redirect_to", "return", "return_to", "url", "service", "continue", "RelayState")
TRICKS = (
    "/{path}", "//{path}/", "{path}/", "{path}//", "{path};x", "{path}%00", "{path}%2f", "{path}%20", "{path}.",
    "{path}..;/", "/./{path}/", "/x/..{path}/", "/%2e{path}/", "/x/%2e%2e{path}/", "/%2e%2e{path}/", "{upper}/",
    "{path}/%2e/", "{path}/?/..", "/static/..{path}/", "/static/%2e%2e{path}/", "/static/..%2f{path}/",
    "/healthz/..{path}/", "/accounts/login/..{path}/", "/healthz%3f/..{path}/", "/consent/declined/..;{path}/",
)  # fmt: skip


def test_headers_that_speak_of_another_host_person_or_method_change_nothing(stage: Stage) -> None:
    """For whoever may; and who may not, does not by the name of one who may."""
    wrong = []
    for row in ROWS:
        for who in list(row.allowed)[:1]:
            plain, spoofed = stage.ask(row, who), ask_with(stage, row, who, SPOOFED)
            if answer(plain) != answer(spoofed) or "evil.example" in spoofed.text + str(spoofed.headers):
                wrong.append(f"{row} by {who}: {answer(plain)}, {answer(spoofed)}")
        if not row.is_public and ask_with(stage, row, "anonymous", SPOOFED).status_code != 302:
            wrong.append(f"{row} by anonymous")
    assert not wrong, "\n".join(wrong)


def answer(response: Any) -> tuple[int, str]:
    """Return status, and where it leads to, without what is drawn by lot."""
    return response.status_code, response.headers.get("Location", "").partition("state%3D")[0]


def ask_with(stage: Stage, row: Any, who: str, headers: dict[str, str]) -> Any:
    client = stage.browsers[who]
    before = client.defaults
    client.defaults = before | HttpHeaders.to_wsgi_names(headers)
    try:
        return stage.ask(row, who)
    finally:
        client.defaults = before


def test_no_address_leads_to_another_host(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it calls the parameter; those that lead to an identity provider lead to the one of the settings."""
    wrong, reads = [], parameters(stage, monkeypatch)
    assert {"POST /accounts/login/", "POST /i18n/setlang/"} <= {
        row for row, names in reads.items() if "next" in names
    }
    for row in ROWS:
        for who in {
            "anonymous" if row.is_public else "owner",
            next((w for w in HERE if w in row.allowed), "owner"),
        }:
            for target in ELSEWHERE if reads[str(row)] & set(NEXTS) else ELSEWHERE[:1]:
                form = form_of(row) | dict.fromkeys(NEXTS, target)
                response = stage.send(who, row.method, row.path.format(**stage.things), form)
                if leads_away(response.headers.get("Location", "")):
                    wrong.append(f"{row} by {who}: {response['Location']}")
    assert not wrong, "\n".join(wrong)


def leads_away(location: str) -> bool:
    """Tell a browser's way: backslashes are slashes to it, tabs nothing."""
    read = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    parts = urlsplit(read)
    is_elsewhere = bool(parts.scheme or parts.netloc or read.startswith("//"))
    return is_elsewhere and parts.hostname != "cas.example.org"


def test_odd_spellings_of_an_address_open_nothing(house: House) -> None:
    """Asked of the server itself, byte by byte, by nobody and by a member: the way to sign in, or nothing."""
    paths = sorted(
        {
            row.path.rstrip("/")
            for row in ROWS
            if row.method == "GET" and "owner" not in row.allowed and not row.things
        }
    )
    wrong = []
    connection = http.client.HTTPConnection("127.0.0.1", house.portal.port, timeout=10)
    for path in paths:
        for trick in TRICKS:
            for who in ("anonymous", "owner"):
                target = trick.format(path=path, upper=path.upper())
                status, location = raw(connection, house, who, target)
                if status not in (302, 400, 404) or leads_away(location):
                    wrong.append(f"{target} by {who}: {status} {location}")
    assert not wrong, "\n".join(wrong)


def raw(connection: http.client.HTTPConnection, house: House, who: str, target: str) -> tuple[int, str]:
    headers = {"Cookie": f"portal_session={house.sessions[who]}"} if who in house.sessions else {}
    connection.putrequest("GET", target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    response.read()
    return response.status, response.headers.get("Location", "")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/consent",
        "//evil.example",
        "/\\evil.example",
        "http://evil.example/",
        "/%5cevil.example",
    ],
)
def test_a_path_that_looks_like_a_host_is_not_led_to(target: str, house: House) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", house.portal.port, timeout=10)
    status, location = raw(connection, house, "owner", target)
    assert status in (302, 400, 404)
    assert not leads_away(location)


# --- parameters and bodies ------------------------------------------------------------------------------------------
LOGIN = {"organisation": "north", "login": "mei", "password": PASSWORD}
BODIES = {
    "json": (
        "application/json",
        '{"organisation": "north", "login": "mei", "password": "a quiet heron by the river"}',
    ),
    "text": ("text/plain", "organisation=north&login=mei&password=a+quiet+heron+by+the+river"),
    "xml": ("application/xml", "<login>mei</login>"),
    "none": ("", "organisation=north&login=mei&password=a+quiet+heron+by+the+river"),
    "a broken form": ("multipart/form-data", "organisation=north"),
    "a form without end": ("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name="),
    "another alphabet": ("application/x-www-form-urlencoded; charset=utf-7", "organisation=north&login=mei"),
    "wide letters": ("application/x-www-form-urlencoded; charset=utf-16", "organisation=north&login=mei"),
}


@pytest.mark.parametrize("how", BODIES)
def test_nobody_signs_in_by_a_body_that_is_no_form(how: str, cast: Cast) -> None:
    kind, body = BODIES[how]
    client = browser(None)
    response = client.post("/accounts/login/", body.encode(), content_type=kind)
    assert response.status_code in (200, 400)
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "fields", [["organisation", "login"], ["login"], ["password"], ["organisation", "login", "password"]]
)
def test_a_field_that_is_sent_twice_counts_once_and_for_the_same_person(
    fields: list[str], cast: Cast
) -> None:
    """The lockout reads the name for itself: were it another one, guesses would be counted for somebody else."""
    wrong = LOGIN | {"password": "wrong"}
    for number in range(5):
        twice = {name: ["south" if name == "organisation" else f"x{number}", wrong[name]] for name in fields}
        browser(None).post("/accounts/login/?login=other&organisation=south", wrong | twice)
    assert browser(None).post("/accounts/login/", LOGIN).status_code == 429


def test_fields_in_the_address_do_not_count(cast: Cast) -> None:
    client = browser(None)
    query = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in LOGIN.items())
    assert client.post(f"/accounts/login/?{query}", {}).status_code == 200
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("size", [300, 70_000])
def test_very_long_fields_are_no_error(size: int, cast: Cast) -> None:
    for name in LOGIN:
        assert browser(None).post("/accounts/login/", LOGIN | {name: "x" * size}).status_code in (200, 400)


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_in_leads_to_another_host_by_no_name(target: str, cast: Cast) -> None:
    response = browser(None).post("/accounts/login/", LOGIN | dict.fromkeys(NEXTS, target))
    assert response.status_code == 302
    assert not leads_away(response["Location"])


def test_a_session_that_somebody_chose_is_not_taken(cast: Cast) -> None:
    """Neither one that never was, nor the one that an attacker got before and puts into the victim's browser."""
    attacker = browser(None)
    attacker.post("/i18n/setlang/", {"language": "en"})
    session = attacker.session
    session["mark"] = "attacker"
    session.save()
    for planted in ("f" * 32, str(session.session_key)):
        victim = browser(None)
        victim.cookies["portal_session"] = planted
        victim.post("/accounts/login/", LOGIN)
        assert victim.cookies["portal_session"].value != planted
        assert victim.session.get("_auth_user_id") == str(cast.member.pk)
        thief = Client()
        thief.cookies["portal_session"] = planted
        assert thief.get("/privacy/").status_code == 302


# --- the first administrator ----------------------------------------------------------------------------------------
GREED = {
    "role": "admin",
    "login": "first",
    "login_name": "first",
    "organisation": "north",
    "is_active": "1",
    "password": PASSWORD,
    "password1": PASSWORD,
    "password2": PASSWORD,
}


@pytest.mark.parametrize("who", ["anonymous", "owner", "officer", "auditor", "outside_officer"])
def test_nobody_but_those_who_manage_people_makes_or_changes_any(who: str, stage: Stage) -> None:
    """Whatever they send to whichever address. So there is no first one to come, who would become administrator."""
    before = everybody()
    greed = (
        FORM | GREED | {"tenant": str(stage.people.owner.tenant_id), "user": str(stage.people.colleague.pk)}
    )
    for row in ROWS:
        if row.name not in ("account_logout", "account_login"):
            browser(stage.people[who]).post(row.path.format(**stage.things), form_of(row) | greed)
    assert everybody() == before


def everybody() -> list[Any]:
    return list(
        User.objects.order_by("pk").values_list("pk", "handle", "role", "tenant_id", "is_active", "password")
    )
