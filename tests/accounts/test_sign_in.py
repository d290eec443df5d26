"""People sign in by organisation, user name and password, and a failure tells nobody anything."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from audit.models import AuditEvent
from tests.accounts.support import LOGIN, sign_in, who
from tests.conftest import PASSWORD, Cast

WRONG = "Organisation, user name or password is not right."


@pytest.mark.parametrize(
    ("name", "organisation", "page"),
    [
        ("member", "north", "/"),
        ("admin", "north", "/console/"),
        ("officer", "north", "/console/policy/"),
        ("auditor", "north", "/audit/"),
        ("operator", "", "/console/installation/"),
        ("outsider", "south", "/"),
    ],
)
def test_each_role_lands_on_its_own_page(
    name: str, organisation: str, page: str, cast: Cast, client: Client
) -> None:
    person = cast.everybody()[name]
    response = sign_in(client, person.login_name, organisation=organisation)
    assert (response.status_code, response["Location"]) == (302, page)
    assert who(client) == str(person.id)
    assert client.get(page).status_code in (200, 302)


def test_the_same_login_in_two_organisations_is_two_people(cast: Cast) -> None:
    seen = {}
    for organisation, person in (("north", cast.member), ("south", cast.outsider)):
        client = Client()
        sign_in(client, "mei", organisation=organisation)
        seen[organisation] = who(client)
        assert seen[organisation] == str(person.id)
    assert len(set(seen.values())) == 2


def test_the_password_of_one_organisation_opens_nothing_in_another(cast: Cast, client: Client) -> None:
    cast.outsider.set_password("another heron by the sea")
    cast.outsider.save()
    assert sign_in(client, "mei", organisation="south").status_code == 200
    assert who(client) is None


@pytest.mark.parametrize(
    ("organisation", "login"), [("NORTH", "MEI"), (" north ", " Mei "), ("North", "mEi"), ("north", "mei")]
)
def test_case_and_blanks_around_names_do_not_matter(
    organisation: str, login: str, cast: Cast, client: Client
) -> None:
    sign_in(client, login, organisation=organisation)
    assert who(client) == str(cast.member.id)


def test_an_operator_has_no_organisation(cast: Cast) -> None:
    for organisation in ("north", "south", "tao"):
        client = Client()
        assert sign_in(client, "tao", organisation=organisation).status_code == 200
        assert who(client) is None
    client = Client()
    assert sign_in(client, "mei", organisation="").status_code == 200
    assert who(client) is None


FAILURES: dict[str, dict[str, str]] = {
    "wrong password": {"login": "mei", "password": "not the password"},
    "unknown person": {"login": "nobody", "password": PASSWORD},
    "unknown organisation": {"login": "mei", "organisation": "west", "password": PASSWORD},
    "person of another organisation": {"login": "wei", "organisation": "south", "password": PASSWORD},
    "operator in an organisation": {"login": "tao", "password": PASSWORD},
    "member without one": {"login": "mei", "organisation": "", "password": PASSWORD},
    "disabled account": {"login": "lin", "password": PASSWORD},
    "disabled account, wrong password": {"login": "lin", "password": "not the password"},
    "disabled organisation": {"login": "mei", "organisation": "south", "password": PASSWORD},
    "disabled organisation, wrong password": {
        "login": "mei",
        "organisation": "south",
        "password": "not it at all",
    },
    "separator in a name": {"login": "north/mei/", "organisation": "", "password": PASSWORD},
}


def without_what_differs(page: str, fields: dict[str, str]) -> str:
    """Return a page without its tokens and without what the person typed."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", page)
    for typed in sorted(fields.values(), key=len, reverse=True):
        text = text.replace(f' value="{html.escape(typed)}"', "")
    return text


def test_every_failure_looks_the_same(cast: Cast) -> None:
    """Status, text and headers, whatever was wrong: nobody can find out who has an account here."""
    cast.colleague.is_active = False
    cast.colleague.save()
    assert cast.outsider.tenant is not None
    cast.outsider.tenant.is_active = False
    cast.outsider.tenant.save()
    answers = {}
    for name, fields in FAILURES.items():
        client = Client(headers={"accept-language": "en"})
        response = sign_in(client, **fields)
        assert who(client) is None, name
        headers = {
            key: value
            for key, value in response.items()
            if key not in {"X-Request-ID", "Content-Length", "Expires"}
        }
        typed = {"organisation": "north"} | fields
        answers[name] = (response.status_code, headers, without_what_differs(response.text, typed))
    expected = answers["wrong password"]
    assert expected[0] == 200
    assert WRONG in expected[2]
    for name, answer in answers.items():
        assert answer == expected, name


@pytest.mark.parametrize("field", ["login", "password"])
@pytest.mark.parametrize("value", ["", "x" * 1000, "\x00", "\ud7ff\U0001f426", "a\nb", "' OR 1=1 --"])
def test_odd_input_is_a_failure_and_no_error(field: str, value: str, cast: Cast, client: Client) -> None:
    fields = {"login": "mei", "password": PASSWORD} | {field: value}
    response = client.post(LOGIN, {"organisation": "north"} | fields)
    assert response.status_code == 200
    assert who(client) is None


@pytest.mark.parametrize("organisation", ["x" * 33, "\x00", "no/rth", "../north", "north\u200b"])
def test_an_odd_organisation_is_a_failure_and_no_error(organisation: str, cast: Cast, client: Client) -> None:
    assert sign_in(client, "mei", organisation=organisation).status_code == 200
    assert who(client) is None


def test_a_password_is_taken_as_it_is_typed(cast: Cast) -> None:
    for wrong in (PASSWORD.upper(), f" {PASSWORD}", PASSWORD[:-1]):
        client = Client()
        sign_in(client, "mei", password=wrong)
        assert who(client) is None


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "https://testserver@evil.example/",
        "http://testserver.evil.example/",
        "\thttps://evil.example/",
    ],
)
def test_signing_in_leads_to_no_other_host(target: str, cast: Cast, client: Client) -> None:
    response = sign_in(client, "mei", next=target)
    assert (response.status_code, response["Location"]) == (302, "/")
    again = client.get(LOGIN, {"next": target})
    assert (again.status_code, again["Location"]) == (302, "/")


def test_signing_in_leads_back_to_the_page_that_was_asked_for(cast: Cast, client: Client) -> None:
    asked = client.get("/privacy/")
    assert asked["Location"] == "/accounts/login/?next=/privacy/"
    assert sign_in(client, "mei", next="/privacy/")["Location"] == "/privacy/"


def test_signing_in_gives_a_new_session_key_and_a_new_form_token(cast: Cast, client: Client) -> None:
    """A session key or form token that somebody planted before is worth nothing afterwards."""
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    assert planted
    client.cookies["portal_session"] = planted
    client.get(LOGIN)
    token = client.cookies["portal_csrf"].value
    sign_in(client, "mei")
    assert client.cookies["portal_session"].value not in {"", planted}
    assert client.cookies["portal_csrf"].value != token
    attacker = Client()
    attacker.cookies["portal_session"] = str(planted)
    assert attacker.get("/privacy/").status_code == 302
    assert who(attacker) is None


def test_a_session_of_somebody_else_is_emptied_when_another_signs_in(cast: Cast, client: Client) -> None:
    sign_in(client, "mei")
    first = client.cookies["portal_session"].value
    session = client.session
    session["words"] = "of mei"
    session.save()
    client.post("/accounts/logout/")
    sign_in(client, "lin")
    assert client.cookies["portal_session"].value != first
    assert "words" not in client.session


def test_signing_out_takes_a_form_and_may_be_repeated(cast: Cast, client: Client) -> None:
    sign_in(client, "mei")
    key = client.cookies["portal_session"].value
    assert client.get("/accounts/logout/").status_code == 405
    assert who(client) == str(cast.member.id)
    for _ in range(2):
        response = client.post("/accounts/logout/")
        assert (response.status_code, response["Location"]) == (302, LOGIN)
        assert who(client) is None
    thief = Client()
    thief.cookies["portal_session"] = key
    assert thief.get("/privacy/").status_code == 302


@pytest.mark.parametrize("path", [LOGIN, "/accounts/logout/", "/consent/", "/consent/withdraw/"])
def test_a_form_without_its_token_is_refused(path: str, cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.member, backend="accounts.backends.PortalBackend")
    assert client.post(path, {"decision": "agree"}).status_code == 403


def test_a_changed_password_ends_the_sessions_that_it_opened(cast: Cast, client: Client) -> None:
    sign_in(client, "mei")
    assert client.get("/privacy/").status_code == 200
    cast.member.set_password("another heron by the sea")
    cast.member.save()
    assert client.get("/privacy/").status_code == 302


def test_a_disabled_account_is_out_at_once(cast: Cast, client: Client) -> None:
    sign_in(client, "mei")
    User.objects.filter(pk=cast.member.pk).update(is_active=False)
    assert client.get("/privacy/").status_code == 302


def test_the_people_of_a_disabled_organisation_are_out_at_once(cast: Cast, client: Client) -> None:
    sign_in(client, "mei")
    assert cast.member.tenant is not None
    cast.member.tenant.is_active = False
    cast.member.tenant.save()
    for path in ("/", "/privacy/", "/consent/"):
        response = client.get(path)
        assert (response.status_code, response["Location"].partition("?")[0]) == (302, LOGIN), path


def test_a_person_who_is_signed_in_is_sent_on_from_the_sign_in_page(cast: Cast, client: Client) -> None:
    sign_in(client, "jing")
    response = client.get(LOGIN)
    assert (response.status_code, response["Location"]) == (302, "/audit/")


def test_nobody_can_sign_up(cast: Cast, client: Client) -> None:
    before = User.objects.count()
    fields = {"username": "new", "password1": PASSWORD, "password2": PASSWORD}
    assert client.get("/accounts/signup/").status_code == 404
    assert client.post("/accounts/signup/", fields).status_code == 404
    assert User.objects.count() == before


def test_sign_in_and_sign_out_stand_in_the_organisations_log(cast: Cast, client: Client) -> None:
    def actions(tenant_id: Any) -> list[str]:
        return list(
            AuditEvent.objects.filter(tenant_id=tenant_id, action__startswith="auth.")
            .order_by("seq")
            .values_list("action", flat=True)
        )

    sign_in(client, "mei", password="wrong")
    sign_in(client, "mei")
    client.post("/accounts/logout/")
    client.post("/accounts/logout/")
    assert actions(cast.member.tenant_id) == ["auth.login_failed", "auth.login", "auth.logout"]
    assert actions(cast.outsider.tenant_id) == []


def test_the_password_is_stored_with_argon2() -> None:
    """Tests hash with MD5, for speed; what the portal itself is set to is Argon2 and nothing else."""
    import qwenportal.settings as real

    assert real.PASSWORD_HASHERS == ["accounts.hashing.PortalArgon2Hasher"]


def test_argon2_works_here(settings: Any, cast: Cast, client: Client) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    cast.member.set_password(PASSWORD)
    cast.member.save()
    assert User.objects.get(pk=cast.member.pk).password.startswith("argon2$argon2id$")
    sign_in(client, "mei")
    assert who(client) == str(cast.member.id)
