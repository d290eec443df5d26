"""Ask a provider's directory about somebody: within a time, in a bounded number of threads, from synchronous code."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

from accounts.arriving import Arrival
from accounts.directory.conversations import conversations
from accounts.directory.failures import DirectoryUnavailable
from accounts.directory.settings import DirectorySettings
from accounts.provider_models import IdentityProvider

# python-ldap is compiled where it is used: `make ldap`. A portal without it works, and asks no directory.
IS_INSTALLED = find_spec("ldap") is not None and find_spec("django_auth_ldap") is not None
if IS_INSTALLED:
    from accounts.directory import people, servers, trial

R = TypeVar("R")

WITHIN_S = 12.0


def prove_person(
    provider: IdentityProvider, *, name: str, password: str, within_s: float = WITHIN_S
) -> Arrival:
    """Return the person whose name and password these are. Raises WrongPassword and DirectoryUnavailable."""

    def talk(settings: DirectorySettings, reader_password: str, server: str, until: float) -> Arrival:
        entry = people.prove(
            settings,
            server=server,
            reader_password=reader_password,
            name=name,
            password=password,
            until=until,
        )
        return _arrival(entry)

    return _ask(provider, talk, within_s=within_s)


def find_person(provider: IdentityProvider, *, subject: str, within_s: float = WITHIN_S) -> Arrival | None:
    """Return the person with this id, or None where the directory has them no more, or not active.

    Raises DirectoryUnavailable.
    """

    def talk(settings: DirectorySettings, reader_password: str, server: str, until: float) -> Arrival | None:
        entry = people.find(
            settings, server=server, reader_password=reader_password, subject=subject, until=until
        )
        return None if entry is None else _arrival(entry)

    return _ask(provider, talk, within_s=within_s)


def try_provider(
    provider: IdentityProvider, *, name: str, within_s: float = WITHIN_S
) -> list[trial.ServerTrial]:
    """Return how each step goes with each server; `name` may be a person's. Raises DirectoryUnavailable."""
    if not IS_INSTALLED:
        raise DirectoryUnavailable("not_installed")
    settings, reader_password = DirectorySettings.of(provider.settings), provider.secret("bind_password")

    def each() -> list[trial.ServerTrial]:
        until = time.monotonic() + within_s
        return [
            trial.try_server(settings, server=server, reader_password=reader_password, name=name, until=until)
            for server in settings.servers
        ]

    return conversations.hold(provider.pk, each, within_s=within_s)


def _ask(
    provider: IdentityProvider, talk: Callable[[DirectorySettings, str, str, float], R], *, within_s: float
) -> R:
    if not IS_INSTALLED:
        raise DirectoryUnavailable("not_installed")
    # Opening a secret may ask the database, which the thread must not.
    settings, reader_password = DirectorySettings.of(provider.settings), provider.secret("bind_password")

    def with_server(server: str, until: float) -> R:
        return talk(settings, reader_password, server, until)

    def anywhere() -> R:
        return servers.with_any_server(provider.pk, settings, with_server, within_s=within_s)

    return conversations.hold(provider.pk, anywhere, within_s=within_s)


def _arrival(entry: people.Entry) -> Arrival:
    return Arrival(
        subject=entry.subject,
        login_name=entry.login_name,
        display_name=entry.display_name,
        groups=entry.groups,
    )
