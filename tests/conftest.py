"""Give every test the starter model, and a fixed cast of people."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts import receivers
from accounts.models import User
from accounts.services import create_account
from console.opening import open_tenant
from crypto.keyring import keyring
from crypto.local_file import create_key_file
from crypto.providers import key_file as key_file_path
from registry.catalogue import STARTER
from registry.fetching import fetch_starter
from registry.services import hash_file
from tenants.models import Tenant
from tests.flushing import lift_guards_while_flushing

lift_guards_while_flushing()

REPOSITORY = Path(__file__).resolve().parent.parent
MODEL_CACHE = REPOSITORY / "var" / "test-models"
PASSWORD = "a quiet heron by the river"


@dataclass(frozen=True)
class Cast:
    """The people of every test: one per role in `north`, an operator, and outsiders in `south`."""

    member: User
    colleague: User
    admin: User
    officer: User
    auditor: User
    operator: User
    outsider: User
    outside_auditor: User

    def everybody(self) -> dict[str, User]:
        """Return the people by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@pytest.fixture(autouse=True)
def _plain_static(settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _forget_lockouts() -> None:
    """Forget, as after a minute, which lockouts were recorded."""
    receivers._lockouts.clear()


@pytest.fixture(scope="session")
def key_file() -> Path:
    """Make the installation's key file once for the whole session."""
    path = key_file_path()
    create_key_file(path)
    return path


@pytest.fixture
def cast(db: None, key_file: Path) -> Iterator[Cast]:
    """Return the people, in two organisations with a notice each that nobody has accepted."""
    keyring.forget()
    yield make_cast()
    keyring.forget()


def make_cast() -> Cast:
    """Create the organisations and people in the current database."""
    north, south = (
        open_tenant(code="north", name="North Bank"),
        open_tenant(code="south", name="South Clinic"),
    )

    def make(login: str, role: str, tenant: Tenant | None) -> User:
        return create_account(
            tenant=tenant, login=login, display_name=login.title(), role=role, password=PASSWORD
        )

    return Cast(
        member=make("mei", "member", north),
        colleague=make("lin", "member", north),
        admin=make("wei", "admin", north),
        officer=make("jun", "officer", north),
        auditor=make("jing", "auditor", north),
        operator=make("tao", "operator", None),
        outsider=make("mei", "member", south),
        outside_auditor=make("jing", "auditor", south),
    )


@pytest.fixture(scope="session")
def starter_model() -> Path:
    """Return the starter model's file, fetched once per checkout by locked hash."""
    path = MODEL_CACHE / "starter.gguf"
    MODEL_CACHE.mkdir(parents=True, exist_ok=True)
    with (MODEL_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Several test processes may want it at once.
        if not path.exists() or hash_file(path) != STARTER.sha256:
            fetch_starter(folder=MODEL_CACHE / "fetched").replace(path)
    assert hash_file(path) == STARTER.sha256
    return path
