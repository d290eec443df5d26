"""Give each test a model store of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from crypto.keyring import keyring
from crypto.local_file import create_key_file
from crypto.providers import key_file
from tests.registry.life import make, people  # noqa: F401 - fixtures
from tests.registry.support import model_bytes


@pytest.fixture
def store(tmp_path: Path, settings: Settings, db: None) -> Iterator[Path]:
    """Return the folder of the models, empty and not yet made."""
    settings.PORTAL = dataclasses.replace(settings.PORTAL, data_dir=tmp_path / "data")
    keyring.forget()
    create_key_file(key_file())
    yield settings.PORTAL.models_dir
    keyring.forget()


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "heron.gguf"
    path.write_bytes(model_bytes())
    return path
