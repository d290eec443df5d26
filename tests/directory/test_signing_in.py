"""People sign in with the password that their organisation's directory knows; local accounts stay what they are."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from pytest_django import Settings

from accounts.directory import asking, backend, servers
from accounts.errors import DirectoryDown, NotInAnyGroup, SignInRefused
from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.providers import switch_provider
from accounts.terminal import authenticate_person
from audit.models import AuditEvent
from tests.accounts.provider_support import open_provider, organisation_of
from tests.accounts.support import sign_in, who
from tests.accounts.test_sign_in import WRONG
from tests.conftest import PASSWORD, Cast
from tests.directory.conftest import settings_for
from tests.directory.counting import CountingHasher
from tests.directory.slapd import READER_PASSWORD, Slapd, password_of

GROUPS = (
    {"group": "staff", "role": "member"},
    {"group": "admins", "role": "admin"},
    {"group": "audit", "role": "auditor"},
)
NO_GROUP = "you are in no group that may use this portal"
DOWN = "your organisation&#x27;s directory does not answer"


def add_directory(cast: Cast, *uris: str, code: str = "ldap", **changes: Any) -> IdentityProvider:
    options: dict[str, Any] = {
        "role_mapping": GROUPS,
        "secrets": {"bind_password": READER_PASSWORD},
    } | changes
    return open_provider(
        organisation_of(cast.member), by=cast.admin, code=code, settings=settings_for(*uris), **options
    )


@pytest.fixture
def directory(cast: Cast, slapd: Slapd) -> IdentityProvider:
    return add_directory(cast, slapd.plain)


def english() -> Client:
    return Client(headers={"accept-language": "en"})


def enter(login: str, password: str | None = None, *, organisation: str = "north") -> tuple[Client, Any]:
    client = english()
    secret = password_of(login) if password is None else password
    return client, sign_in(client, login, organisation=organisation, password=secret)


def actions(cast: Cast) -> list[str]:
    rows = AuditEvent.objects.filter(tenant_id=organisation_of(cast.member).id).order_by("seq")
    return [f"{event.action} {event.outcome}" for event in rows if event.action[:5] in {"auth.", "ident"}][2:]


@pytest.mark.parametrize(
    ("login", "role", "page"), [("an", "member", "/"), ("bo", "admin", "/console/"), ("chen", "member", "/")]
)
def test_a_person_of_the_directory_gets_an_account_and_their_groups_role(
    login: str, role: str, page: str, directory: IdentityProvider, cast: Cast
) -> None:
    client, answer = enter(login)
    assert (answer.status_code, answer["Location"]) == (302, page)
    account = User.objects.get(handle=f"north/{login}")
    assert (who(client), account.role, account.has_usable_password()) == (str(account.pk), role, False)
    assert client.get(page).status_code in (200, 302)
    again, _ = enter(f" {login.upper()} ", password_of(login))
    assert who(again) == str(account.pk)
    assert actions(cast) == ["identity.arrive ok", "auth.login ok", "auth.login ok"]


def test_a_wrong_password_looks_as_it_always_does_and_counts(directory: IdentityProvider, cast: Cast) -> None:
    enter("an")
    for login, password in (
        ("an", "wrong"),
        ("nobody", "wrong"),
        ("eve", password_of("eve")),
        ("lin", "wrong"),
    ):
        client, answer = enter(login, password)
        assert (answer.status_code, who(client), WRONG in answer.text) == (200, None, True)
        assert NO_GROUP not in answer.text
    assert actions(cast)[2:] == ["auth.login_failed refused"] * 4


def test_being_in_no_group_is_told_only_after_the_right_password(
    directory: IdentityProvider, cast: Cast
) -> None:
    client, answer = enter("dan")
    assert (answer.status_code, who(client)) == (200, None)
    assert NO_GROUP in answer.text
    assert WRONG not in answer.text
    _, answer = enter("dan", "wrong")
    assert NO_GROUP not in answer.text
    _, answer = enter("fay")
    assert "two roles that exclude each other" in answer.text
    assert not User.objects.filter(login_name__in=["dan", "fay"]).exists()
    assert actions(cast) == [
        "identity.no_group refused",
        "auth.login_failed refused",
        "identity.no_group refused",
    ]


@pytest.mark.parametrize("login", ["mei", "wei"])
def test_a_local_account_is_opened_by_its_own_password_only(
    login: str, directory: IdentityProvider, cast: Cast
) -> None:
    client, _ = enter(login, PASSWORD)
    local = User.objects.get(handle=f"north/{login}")
    assert who(client) == str(local.pk)
    client, answer = enter(login)
    assert who(client) is None
    assert "not linked to this way of signing in" in answer.text
    assert User.objects.filter(login_name=login, tenant=local.tenant).count() == 1
    assert User.objects.get(pk=local.pk).role == local.role


def test_a_right_local_password_never_asks_the_directory(
    directory: IdentityProvider, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "prove_person", lambda *_, **__: pytest.fail("was asked"))
    client, _ = enter("mei", PASSWORD)
    assert who(client) == str(cast.member.pk)
    client, _ = enter("tao", PASSWORD, organisation="")
    assert who(client) == str(cast.operator.pk)


def test_the_directory_of_one_organisation_opens_nothing_in_another(
    directory: IdentityProvider, cast: Cast
) -> None:
    for organisation in ("south", "", "west"):
        client, answer = enter("an", organisation=organisation)
        assert (who(client), answer.status_code, WRONG in answer.text) == (None, 200, True)
    assert not User.objects.filter(login_name="an").exists()


@pytest.mark.parametrize(
    "login", ["*", "a*", "an)(uid=*", "(an", "an,ou=people", "安", "an\\2a", "an/../bo", "%(user)s"]
)
def test_a_name_that_no_account_can_have_is_not_passed_on(
    login: str, directory: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "prove_person", lambda *_, **__: pytest.fail("was asked"))
    client, answer = enter(login, password_of("an"))
    assert (who(client), answer.status_code) == (None, 200)


def test_while_the_directory_is_down_local_accounts_work_and_all_others_hear_the_same(
    cast: Cast, own_slapd: Slapd
) -> None:
    add_directory(cast, own_slapd.plain)
    enter("an")
    own_slapd.stop()
    servers.forget_silence()
    client, _ = enter("mei", PASSWORD)
    assert who(client) == str(cast.member.pk)
    answers = {}
    for login, password in (
        ("an", password_of("an")),
        ("nobody", "wrong"),
        ("lin", "wrong"),
        ("dan", "wrong"),
    ):
        client, answer = enter(login, password)
        assert who(client) is None
        text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", answer.text)
        answers[login] = (answer.status_code, text.replace(f'value="{login}"', ""))
    assert DOWN in answers["an"][1]
    assert len(set(answers.values())) == 1


def test_the_next_server_lets_people_in_when_the_first_is_down(
    cast: Cast, own_slapd: Slapd, slapd: Slapd
) -> None:
    add_directory(cast, own_slapd.plain, slapd.plain)
    own_slapd.stop()
    client, _ = enter("an")
    assert who(client) is not None


def test_a_second_directory_is_asked_for_whom_the_first_does_not_know(
    cast: Cast, own_slapd: Slapd, slapd: Slapd
) -> None:
    add_directory(cast, own_slapd.plain, code="one")
    add_directory(cast, slapd.plain, code="two")
    own_slapd.delete("bo")
    client, _ = enter("bo")
    assert who(client) is not None
    own_slapd.stop()
    servers.forget_silence()
    again, _ = enter("bo")
    assert who(again) == who(client)


def test_failures_at_the_directory_lock_as_all_others_do(
    directory: IdentityProvider, cast: Cast, settings: Settings
) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    for _ in range(3):
        enter("an", "wrong")
    client, answer = enter("an")
    assert (answer.status_code, who(client)) == (429, None)
    client, _ = enter("bo")
    assert who(client) is not None


def test_a_switched_off_directory_and_a_disabled_account_let_nobody_in(
    directory: IdentityProvider, cast: Cast
) -> None:
    enter("an")
    User.objects.filter(login_name="an").update(is_active=False)
    client, answer = enter("an")
    assert (who(client), WRONG in answer.text) == (None, True)
    switch_provider(directory, is_on=False, by=cast.admin)
    client, answer = enter("bo")
    assert (who(client), WRONG in answer.text) == (None, True)


def test_somebody_with_a_new_name_in_the_directory_is_still_the_same(cast: Cast, own_slapd: Slapd) -> None:
    add_directory(cast, own_slapd.plain, role_mapping=(), default_role="member")
    first, _ = enter("an")
    own_slapd.rename("an", "an.wang")
    client, _ = enter("an.wang", password_of("an"))
    assert who(client) == who(first)


def test_at_the_terminal_people_of_the_directory_act_too(directory: IdentityProvider, cast: Cast) -> None:
    assert authenticate_person("north/bo", password=password_of("bo")).role == "admin"
    with pytest.raises(SignInRefused):
        authenticate_person("north/bo", password="wrong")
    with pytest.raises(NotInAnyGroup):
        authenticate_person("north/dan", password=password_of("dan"))


def test_a_directory_that_cannot_be_asked_raises_at_the_terminal(cast: Cast) -> None:
    add_directory(cast, "ldap://127.0.0.1:1")
    with pytest.raises(DirectoryDown):
        authenticate_person("north/an", password="x")


@pytest.mark.django_db(transaction=True)
def test_while_one_person_waits_for_the_directory_others_sign_in(
    directory: IdentityProvider, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is asked outside the lock under which passwords are compared."""
    asked, go_on = threading.Event(), threading.Event()
    really = asking.prove_person

    def slow(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        assert go_on.wait(30)
        return really(*args, **kwargs)

    monkeypatch.setattr(backend, "prove_person", slow)

    def arrive() -> str | None:
        try:
            return who(enter("an")[0])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(arrive)
        assert asked.wait(30)
        try:
            assert who(enter("mei", PASSWORD)[0]) == str(cast.member.pk)
            assert not waiting.done()
        finally:
            go_on.set()
        assert waiting.result(30) is not None


def test_every_name_costs_one_comparison(
    directory: IdentityProvider, cast: Cast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known here, known there, or nowhere: one hash, one question to the directory."""
    settings.PASSWORD_HASHERS = ["tests.directory.counting.CountingHasher"]
    enter("an")
    cast.colleague.set_password(PASSWORD)
    cast.colleague.save()
    costs = set()
    questions: list[int] = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        questions.append(1)
        return asking.prove_person(*args, **kwargs)

    monkeypatch.setattr(backend, "prove_person", counted)
    for login in ("an", "lin", f"nobody{uuid4().hex[:6]}", "eve"):
        CountingHasher.count, before = 0, len(questions)
        enter(login, "wrong")
        costs.add((CountingHasher.count, len(questions) - before))
    assert costs == {(1, 1)}
