"""Give each test its own key file, and the tests' model its table."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker, Settings

from crypto.keyring import keyring
from crypto.local_file import create_key_file
from crypto.providers import key_file
from tests.crypto.models import Note


@pytest.fixture(autouse=True)
def own_keys(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """Return the key file of this test; nothing is cached from the test before."""
    settings.PORTAL = dataclasses.replace(settings.PORTAL, data_dir=tmp_path / "data")
    keyring.forget()
    create_key_file(key_file())
    yield key_file()
    keyring.forget()


@pytest.fixture(scope="session")
def note_table(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.create_model(Note)


@pytest.fixture
def installed(settings: Settings) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.crypto.apps.SealedTests"]


@pytest.fixture
def note(note_table: None, db: None) -> Note:
    return make_note()


def make_note(*, body: str = "heron at the river", tenant_id: uuid.UUID | None = None) -> Note:
    return Note.objects.create(
        tenant_id=tenant_id or uuid.uuid4(), conversation_id=uuid.uuid4(), body=body, title="About herons"
    )


def token_of(note: Note, column: str = "body") -> str:
    """Return what the database holds."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM sealed_tests_note WHERE id = %s", [_key(note)])
        return str(cursor.fetchone()[0])


def write_token(note: Note, token: str, column: str = "body") -> None:
    """Write behind the portal's back, as somebody with access to the database would."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE sealed_tests_note SET {column} = %s WHERE id = %s", [token, _key(note)])


def _key(note: Note) -> uuid.UUID | str:
    key: uuid.UUID = note.pk
    return key if connection.vendor == "postgresql" else key.hex
