"""Set the stage: everybody, and one of each thing."""

from __future__ import annotations

import logging

import pytest

from tests.conftest import Cast
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
