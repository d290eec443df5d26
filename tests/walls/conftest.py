"""Set the stage: everybody, and one of each thing."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.conftest import Cast
from tests.walls.house import House, open_house
from tests.walls.people import make_people
from tests.walls.stage import Stage
from tests.walls.things import make_things


@pytest.fixture
def stage(cast: Cast) -> Stage:
    people = make_people(cast)
    return Stage(people, make_things(people))


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of refusals are no news here."""
    caplog.set_level(logging.ERROR, logger="django.request")


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve an installation in which everybody is signed in."""
    yield from open_house(tmp_path_factory.mktemp("house"))
