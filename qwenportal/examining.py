"""Go through every check of the installation, a worker of its own included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import chain

from django.conf import settings

from inference.examination import examine
from inference.tuning import recall
from qwenportal import diagnosis
from qwenportal.diagnosis import Row

LOAD_TIMEOUT_S = 600


def examine_all(*, progress: Callable[[str], object]) -> Iterator[Row]:
    """Yield a row per check, as it is made; `progress` is told what takes time.

    A worker is started with the first usable active model, so this may go on beside a server.
    """
    yield from chain(diagnosis.examine_settings(), diagnosis.examine_store())
    usable = None
    models = diagnosis.models_in_use()
    for model in models:
        progress(f"hashing {model.name} …")
        row = diagnosis.examine_model(model)
        usable = usable or (model if row.verdict == "ok" else None)
        yield row
    if not models:
        yield Row("model", "in use", "warn", "none; the sandbox is examined with the scripted engine")
    yield diagnosis.engine_wanted()
    progress("loading a model in a worker of its own …")
    config = recall(diagnosis.config_for(usable), folder=settings.PORTAL.data_dir)
    seen = asyncio.run(examine(config.worker_spec, timeout_s=LOAD_TIMEOUT_S))
    yield from diagnosis.describe_worker(seen, trials=config.trials)
