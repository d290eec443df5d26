"""Go through every check of the installation, a worker of its own included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain

from django.conf import settings
from django.utils.translation import gettext as _

from inference.examination import examine
from inference.tuning import recall
from qwenportal import diagnosis
from qwenportal.diagnosis import Row
from registry.models import ModelArtifact

LOAD_TIMEOUT_S = 600


def examine_all(*, progress: Callable[[str], object]) -> Iterator[Row]:
    """Yield a row per check, as it is made; `progress` is told what takes time.

    A worker of its own is started with each usable active model, one after the other, so this may go on beside a
    server; without any the sandbox is examined all the same.
    """
    yield from chain(diagnosis.examine_settings(), diagnosis.examine_store())
    usable: list[ModelArtifact] = []
    models = diagnosis.models_in_use()
    for model in models:
        progress(f"hashing {model.name} …")
        row = diagnosis.examine_model(model)
        usable += [model] if row.verdict == "ok" else []
        yield row
    if not models:
        yield Row("model", _("in use"), "warn", _("none; the sandbox is examined with the scripted engine"))
    yield diagnosis.engine_wanted()
    candidates: list[ModelArtifact | None] = [*usable] or [None]
    for candidate in candidates:
        progress("loading a model in a worker of its own …")
        yield from _examine_worker(candidate, is_one_of_many=len(usable) > 1)


def _examine_worker(model: ModelArtifact | None, *, is_one_of_many: bool) -> Iterator[Row]:
    """Start a worker as the server would, and yield what it has become; of many models, each in areas of its own."""
    config = recall(diagnosis.config_for(model), folder=settings.PORTAL.data_dir)
    seen = asyncio.run(examine(config.worker_spec, timeout_s=LOAD_TIMEOUT_S))
    for row in diagnosis.describe_worker(seen, trials=config.trials):
        yield replace(row, area=f"{row.area} {model.label}") if model and is_one_of_many else row
