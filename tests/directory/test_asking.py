"""The directory's verdict is the directory's: no odd name, empty password or half-dead server gets in between."""

from __future__ import annotations

import dataclasses
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import ldap
import pytest

from accounts.directory import people, servers
from accounts.directory.conversations import Conversations
from accounts.directory.failures import DirectoryUnavailable, WrongPassword
from accounts.directory.people import Entry
from accounts.directory.settings import DirectorySettings, clean_settings
from tests.directory.certificates import make_certificates
from tests.directory.conftest import settings_for
from tests.directory.slapd import GROUPS, PEOPLE, READER_PASSWORD, SUFFIX, Slapd, password_of
from tests.portal import free_port


def ask(
    settings: dict[str, Any],
    name: str,
    password: str | None = None,
    *,
    reader_password: str = READER_PASSWORD,
    within_s: float = 10,
) -> Entry:
    """Prove a person as the back end does, without a database."""
    cleaned = DirectorySettings.of(clean_settings(settings))
    secret = password_of(name) if password is None else password

    def talk(server: str, until: float) -> Entry:
        return people.prove(
            cleaned, server=server, reader_password=reader_password, name=name, password=secret, until=until
        )

    return servers.with_any_server(uuid4(), cleaned, talk, within_s=within_s)


def names(entry: Entry) -> set[str]:
    return {group for group in entry.groups if "=" not in group}


def test_a_person_is_proved_by_the_directory(slapd: Slapd) -> None:
    entry = ask(settings_for(slapd.plain), "an")
    assert (entry.login_name, entry.display_name, len(entry.subject)) == ("an", "An Li", 36)
    assert "staff" in entry.groups
    assert f"cn=staff,{GROUPS}" in entry.groups


@pytest.mark.parametrize("name", ["an", "AN", "gu", "chen"])
def test_direct_bind_proves_them_too(name: str, slapd: Slapd) -> None:
    direct = settings_for(slapd.plain, bind="direct", bind_dn="", user_dn=f"uid=%(user)s,{PEOPLE}")
    by_search = ask(settings_for(slapd.plain), name, password_of(name.lower()))
    assert ask(direct, name, password_of(name.lower()), reader_password="") == by_search
    with pytest.raises(WrongPassword):
        ask(direct, name, "wrong", reader_password="")


def test_after_a_direct_bind_the_person_found_must_take_the_password_too(slapd: Slapd) -> None:
    """Else whoever can bind under another's name, as Active Directory's principal names allow, would be the other."""
    crossed = settings_for(
        slapd.plain,
        bind="direct",
        bind_dn="",
        user_dn=f"uid=%(user)s,{PEOPLE}",
        user_filter="(&(uid=bo)(!(cn=%(user)s)))",
    )
    with pytest.raises(WrongPassword):
        ask(crossed, "an", reader_password="")
    assert ask(crossed, "bo", reader_password="").login_name == "bo"


@pytest.mark.parametrize("security", ["starttls", "ldaps"])
def test_with_tls_and_the_right_authority(security: str, slapd: Slapd) -> None:
    uri = slapd.tls if security == "ldaps" else slapd.plain
    assert ask(settings_for(uri, security=security, ca_certificates=slapd.ca), "an").login_name == "an"


@pytest.mark.parametrize("security", ["starttls", "ldaps"])
@pytest.mark.parametrize("authority", ["another", "the system's"])
def test_a_certificate_of_another_authority_is_not_believed(
    security: str, authority: str, slapd: Slapd, tmp_path: Any
) -> None:
    uri = slapd.tls if security == "ldaps" else slapd.plain
    other = make_certificates(tmp_path) if authority == "another" else ""
    with pytest.raises(DirectoryUnavailable) as caught:
        ask(settings_for(uri, security=security, ca_certificates=other), "an")
    assert caught.value.fault == "tls"


def test_a_certificate_for_another_host_is_not_believed(slapd: Slapd) -> None:
    uri = slapd.tls.replace("127.0.0.1", "localhost")
    with pytest.raises(DirectoryUnavailable):
        ask(settings_for(uri, security="ldaps", ca_certificates=slapd.ca), "an")


WRONG: dict[str, tuple[str, str]] = {
    "wrong password": ("an", "wrong"),
    "another's password": ("an", password_of("bo")),
    "unknown person": ("nobody", "wrong"),
    "disabled person": ("eve", password_of("eve")),
    "empty password": ("an", ""),
    "empty password of nobody": ("nobody", ""),
    "password of one null": ("an", "\x00"),
    "right password and a null": ("an", f"{password_of('an')}\x00"),
    "empty name": ("", password_of("an")),
    "star": ("*", password_of("an")),
    "part and star": ("a*", password_of("an")),
    "closing the filter": ("an)(uid=*", password_of("an")),
    "second filter": ("*)(|(uid=*", password_of("an")),
    "always true": ("an)(|(objectClass=*)", password_of("an")),
    "escaped star": ("\\2a", password_of("an")),
    "null in the name": ("an\x00", password_of("an")),
    "placeholder": ("%(user)s", password_of("an")),
    "percent": ("%s%n%", password_of("an")),
    "a whole name": (f"an,{PEOPLE}", password_of("an")),
    "another branch": ("reader", READER_PASSWORD),
    "quotes": ('an"', password_of("an")),
    "new line": ("an\n", password_of("an")),
}


@pytest.mark.parametrize("bind", ["search", "direct"])
@pytest.mark.parametrize("case", WRONG)
def test_whoever_does_not_prove_it_gets_one_and_the_same_answer(case: str, bind: str, slapd: Slapd) -> None:
    name, password = WRONG[case]
    settings = settings_for(slapd.plain)
    if bind == "direct":
        settings |= {"bind": "direct", "bind_dn": "", "user_dn": f"uid=%(user)s,{PEOPLE}"}
    with pytest.raises(WrongPassword):
        ask(settings, name, password, reader_password=READER_PASSWORD if bind == "search" else "")


def test_a_person_who_does_not_exist_costs_the_directory_as_much(
    slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: dict[str, list[str]] = {}
    plain = servers.speak_over

    for name in ("an", "nobody", "eve"):
        acts = counted.setdefault(name, [])

        def counting(*line: Any, acts: list[str] = acts) -> Any:
            return Counting(plain(*line), acts)

        monkeypatch.setattr(people, "speak_over", counting)
        with pytest.raises(WrongPassword):
            ask(settings_for(slapd.plain), name, "wrong")
    assert (
        counted["an"] == counted["nobody"] == counted["eve"] == ["simple_bind_s", "search_s", "simple_bind_s"]
    )


class Counting:
    """A connection that notes what is asked of it."""

    def __init__(self, connection: Any, acts: list[str]) -> None:
        self._connection, self._acts = connection, acts

    def __getattr__(self, name: str) -> Any:
        if name in {"simple_bind_s", "search_s"}:
            self._acts.append(name)
        return getattr(self._connection, name)


def test_two_people_by_one_name_are_nobody(slapd: Slapd) -> None:
    settings = settings_for(slapd.plain, user_filter="(mail=%(user)s)")
    with pytest.raises(WrongPassword):
        ask(settings, "all@corp.test", password_of("an"))


def test_groups_of_groups_count_and_a_ring_of_them_ends(slapd: Slapd) -> None:
    assert names(ask(settings_for(slapd.plain), "chen")) == {"team", "unit", "staff"}
    assert names(ask(settings_for(slapd.plain, nested=False), "chen")) == {"team"}


def test_a_groups_name_may_hold_what_filters_are_made_of(slapd: Slapd) -> None:
    for nested in (True, False):
        assert names(ask(settings_for(slapd.plain, nested=nested), "per")) == {"100% (all) * of us"}


@pytest.mark.parametrize(
    ("kind", "group_filter", "name", "groups"),
    [
        ("posix", "(objectClass=posixGroup)", "an", {"posix"}),
        ("posix", "(objectClass=posixGroup)", "gu", {"primary"}),
        ("unique_names", "(objectClass=groupOfUniqueNames)", "an", {"unique"}),
        ("unique_names", "(objectClass=groupOfUniqueNames)", "bo", set()),
        ("active_directory", "(objectClass=groupOfNames)", "bo", {"staff", "admins", "team", "unit"}),
        ("none", "", "an", set()),
    ],
)
def test_each_kind_of_group_is_understood(
    kind: str, group_filter: str, name: str, groups: set[str], slapd: Slapd
) -> None:
    settings = settings_for(slapd.plain, groups=kind, group_filter=group_filter)
    assert names(ask(settings, name)) == groups


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "wrong reader password": ({}, "wrong", "reader_refused"),
    "no reader password": ({}, "", "reader_refused"),
    "anonymous reader": ({"bind_dn": ""}, "", "no_such_base"),
    "no such base": ({"user_base": f"ou=nobody,{SUFFIX}"}, READER_PASSWORD, "no_such_base"),
    "no such group base": ({"group_base": f"ou=nothing,{SUFFIX}"}, READER_PASSWORD, "no_such_base"),
    "broken base": ({"user_base": "people"}, READER_PASSWORD, "no_such_base"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_of_the_directory_or_its_settings_is_nobodys_wrong_password(case: str, slapd: Slapd) -> None:
    changes, reader_password, fault = FAULTS[case]
    with pytest.raises(DirectoryUnavailable) as caught:
        ask(settings_for(slapd.plain, **changes), "an", reader_password=reader_password)
    assert caught.value.fault == fault


@contextmanager
def silent_server() -> Iterator[str]:
    """Listen, accept, and never say a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield f"ldap://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def dripping_server() -> Iterator[str]:
    """Answer with one byte of a long message now and then, without end."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            try:
                taken, _ = listener.accept()
                with taken:
                    taken.sendall(b"\x30\x84\x00\x00\xff\xff")
                    while not stop.wait(0.1):
                        taken.sendall(b"\x00")
            except OSError:
                return

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"ldap://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("security", ["none", "starttls", "ldaps"])
def test_a_server_that_hangs_is_given_up_in_time(security: str) -> None:
    began = time.monotonic()
    with silent_server() as plain:
        uri = plain.replace("ldap:", "ldaps:") if security == "ldaps" else plain
        with pytest.raises(DirectoryUnavailable) as caught:
            ask(settings_for(uri, security=security, connect_s=1, answer_s=1), "an")
    assert caught.value.fault in {"no_answer", "unreachable", "tls"}
    assert time.monotonic() - began < 8


def test_a_server_that_answers_drop_by_drop_is_given_up_in_time() -> None:
    began = time.monotonic()
    with dripping_server() as uri, pytest.raises(DirectoryUnavailable):
        Conversations().hold(
            uuid4(), lambda: ask(settings_for(uri, connect_s=1, answer_s=1), "an"), within_s=3
        )
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("broken", ["closed", "silent"])
def test_the_next_server_is_asked_and_the_broken_one_is_left_alone(broken: str, slapd: Slapd) -> None:
    directory, asked = uuid4(), []
    with silent_server() as silent:
        dead = silent if broken == "silent" else f"ldap://127.0.0.1:{free_port()}"
        settings = DirectorySettings.of(
            clean_settings(settings_for(dead, slapd.plain, connect_s=1, answer_s=1))
        )

        def talk(server: str, until: float) -> Entry:
            asked.append(server)
            return people.prove(
                settings,
                server=server,
                reader_password=READER_PASSWORD,
                name="an",
                password=password_of("an"),
                until=until,
            )

        for _ in range(2):
            assert servers.with_any_server(directory, settings, talk, within_s=10).login_name == "an"
    assert asked == [dead, slapd.plain, slapd.plain]


def test_a_wrong_password_is_final_and_no_other_server_is_asked(slapd: Slapd) -> None:
    settings = DirectorySettings.of(
        clean_settings(settings_for(slapd.plain, f"ldap://127.0.0.1:{free_port()}"))
    )
    asked = []

    def talk(server: str, until: float) -> Entry:
        asked.append(server)
        return people.prove(
            settings, server=server, reader_password=READER_PASSWORD, name="an", password="wrong", until=until
        )

    with pytest.raises(WrongPassword):
        servers.with_any_server(uuid4(), settings, talk, within_s=10)
    assert asked == [slapd.plain]


def test_a_directory_that_hangs_holds_only_its_own_threads() -> None:
    held, let_go = Conversations(at_once=3, each=2), threading.Event()
    hanging, other = uuid4(), uuid4()
    for _ in range(2):
        with pytest.raises(DirectoryUnavailable) as caught:
            held.hold(hanging, lambda: let_go.wait(20), within_s=0.05)
        assert caught.value.fault == "no_answer"
    with pytest.raises(DirectoryUnavailable) as caught:
        held.hold(hanging, lambda: let_go.wait(20), within_s=0.05)
    assert caught.value.fault == "busy"
    assert held.hold(other, lambda: "answer", within_s=5) == "answer"
    let_go.set()
    assert held.hold(hanging, lambda: "again", within_s=5) == "again"


def test_a_person_is_found_by_the_id_that_never_changes(own_slapd: Slapd) -> None:
    settings = DirectorySettings.of(clean_settings(settings_for(own_slapd.plain)))
    subject = ask(settings_for(own_slapd.plain), "an").subject

    def found() -> Entry | None:
        return people.find(
            settings,
            server=own_slapd.plain,
            reader_password=READER_PASSWORD,
            subject=subject,
            until=time.monotonic() + 10,
        )

    own_slapd.rename("an", "an.wang")
    entry = found()
    assert entry is not None
    assert (entry.subject, entry.login_name) == (subject, "an.wang")
    own_slapd.change(f"uid=an.wang,{PEOPLE}", employeeType="disabled")
    assert found() is None


@pytest.mark.parametrize("subject", ["*", "", "x)(uid=*", "\x00"])
def test_no_odd_id_finds_anybody(subject: str, slapd: Slapd) -> None:
    settings = DirectorySettings.of(clean_settings(settings_for(slapd.plain)))
    try:
        found = people.find(
            settings,
            server=slapd.plain,
            reader_password=READER_PASSWORD,
            subject=subject,
            until=time.monotonic() + 10,
        )
    except ldap.LDAPError:
        found = None
    assert found is None


def test_a_binary_id_is_kept_in_hexadecimal_digits_even_where_it_looks_like_text() -> None:
    settings = dataclasses.replace(DirectorySettings(), id_attribute="objectGUID")
    for raw in (bytes(range(240, 256)), b"sixteen letters!"):
        as_the_library_gives_it = raw if raw[0] > 127 else raw.decode()
        text = people._id_text(settings, {"objectGUID": [as_the_library_gives_it]})
        assert bytes.fromhex(text) == raw
        assert people._escaped_id(settings, text) == "".join(f"\\{byte:02x}" for byte in raw)


def test_neither_names_nor_passwords_are_logged(slapd: Slapd, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(settings_for(slapd.plain), "an")
        with pytest.raises(WrongPassword):
            ask(settings_for(slapd.plain), "bo", "a secret word")
        with pytest.raises(WrongPassword):
            ask(settings_for(slapd.plain, user_filter="(mail=%(user)s)"), "all@corp.test", "a secret word")
    for word in ("uid=an", "uid=bo", "all@corp.test", "secret", "river", READER_PASSWORD):
        assert word not in caplog.text
