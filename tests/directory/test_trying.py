"""Trying a directory shows which step fails, and neither passwords nor the network around."""

from __future__ import annotations

import dataclasses
import socket
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from accounts.directory import targets, trying
from accounts.directory.trial import STEPS, ServerTrial
from accounts.directory.trying import TooManyTrials, try_out
from audit.models import AuditEvent
from common.access import PermissionMissing
from tests.accounts.provider_support import organisation_of
from tests.conftest import Cast
from tests.directory.slapd import GROUPS, SUFFIX, Slapd
from tests.directory.test_signing_in import add_directory
from tests.portal import free_port


def states(trial: ServerTrial) -> dict[str, str]:
    return {step.name: step.state for step in trial.steps}


def failed_at(trial: ServerTrial) -> tuple[str, str]:
    step = next(step for step in trial.steps if step.state == "failed")
    assert all(later.state == "skipped" for later in trial.steps[STEPS.index(step.name) + 1 :])
    return step.name, step.detail


def test_every_step_is_shown_for_every_server(cast: Cast, slapd: Slapd) -> None:
    tls = {"security": "ldaps", "ca_certificates": slapd.ca}
    provider = add_with(cast, slapd.tls, f"ldaps://127.0.0.1:{free_port()}", **tls)
    good, bad = try_out(provider, by=cast.admin, name="")
    assert states(good) == dict.fromkeys(STEPS, "ok")
    assert failed_at(bad) == ("connect", "unreachable")


def test_a_persons_groups_are_shown_without_their_password(cast: Cast, slapd: Slapd) -> None:
    (trial,) = try_out(add_directory(cast, slapd.plain), by=cast.operator, name=" Chen ")
    assert states(trial) == dict.fromkeys(STEPS, "ok") | {"tls": "skipped"}
    assert {group for group in trial.groups if "=" in group} == {
        f"cn={name},{GROUPS}" for name in ("team", "unit", "staff")
    }


def add_with(cast: Cast, *uris: str, reader: str = "heron-reads", **changes: Any) -> Any:
    from tests.accounts.provider_support import open_provider
    from tests.directory.conftest import settings_for

    return open_provider(
        organisation_of(cast.member),
        by=cast.admin,
        code="with",
        settings=settings_for(*uris, **changes),
        secrets={"bind_password": reader},
    )


@pytest.mark.parametrize(
    ("changes", "name", "failure"),
    [
        ({"reader": "wrong"}, "", ("bind", "reader_refused")),
        ({"user_base": f"ou=none,{SUFFIX}"}, "", ("search", "no_such_base")),
        ({"group_base": f"ou=none,{SUFFIX}"}, "an", ("groups", "no_such_base")),
        ({}, "nobody", ("search", "nobody")),
        ({}, "*", ("search", "nobody")),
        ({"security": "starttls"}, "", ("tls", "tls")),
    ],
)
def test_the_step_that_fails_is_named(
    changes: dict[str, Any], name: str, failure: tuple[str, str], cast: Cast, slapd: Slapd
) -> None:
    (trial,) = try_out(add_with(cast, slapd.plain, **changes), by=cast.admin, name=name)
    assert failed_at(trial) == failure


def test_a_closed_port_and_a_silent_server_read_the_same_as_far_as_they_can(cast: Cast) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.listen(0)
        provider = add_with(cast, f"ldap://127.0.0.1:{free_port()}", connect_s=1, answer_s=1)
        (closed,) = try_out(provider, by=cast.admin, name="")
    (step,) = [step for step in closed.steps if step.state == "failed"]
    assert (step.detail, step.took_ms) == ("unreachable", 0)


def test_only_who_keeps_the_provider_may_try_it_and_not_without_end(
    cast: Cast, slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = add_directory(cast, slapd.plain)
    for person in (cast.member, cast.officer, cast.auditor, cast.outsider):
        with pytest.raises(PermissionMissing):
            try_out(provider, by=person, name="")
    monkeypatch.setattr(trying, "MOST", 2)
    for _ in range(2):
        try_out(provider, by=cast.admin, name="")
    with pytest.raises(TooManyTrials):
        try_out(provider, by=cast.operator, name="")
    rows = AuditEvent.objects.filter(action="identity.test").order_by("seq")
    assert list(rows.values_list("status", flat=True)) == [200, 200, 429]


@pytest.mark.parametrize("server", ["ldap://10.0.0.5:22", "ldap://10.0.0.5:6379", "ldaps://10.0.0.5:443"])
def test_in_the_console_only_ports_of_directories_are_taken(
    server: str, cast: Cast, settings: Settings
) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, directory_ports=(389, 636))
    security = "ldaps" if server.startswith("ldaps") else "starttls"
    with pytest.raises(ValidationError) as caught:
        add_with(cast, server, security=security)
    assert set(caught.value.message_dict) == {"servers"}


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("10.0.0.5", True),
        ("192.168.1.9", True),
        ("127.0.0.1", True),
        ("2001:4860:4860::8888", True),
        ("fd00::5", True),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("0.0.0.0", False),  # noqa: S104 (nothing is bound)
        ("::", False),
        ("255.255.255.255", False),
        ("no address", False),
    ],
)
def test_addresses_of_the_cloud_and_of_everybody_are_never_called(address: str, is_allowed: bool) -> None:
    assert targets.is_allowed(address) is is_allowed
