"""Set what tests run under, before pytest-django reads the settings: loaded by `-p tests.environment`."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

SCRATCH = Path(tempfile.mkdtemp(prefix="portal-tests-"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)


def prepare() -> None:
    """Forget the settings of whoever runs the tests, and set those of the tests."""
    for name in [name for name in os.environ if name.startswith("PORTAL_")]:
        del os.environ[name]
    for name in ("REDIS_URL", "DATABASE_URL", "QUICKSTART_PASSWORD"):
        os.environ.pop(name, None)
    (SCRATCH / "data" / "static").mkdir(parents=True, exist_ok=True)
    os.environ.update(
        PORTAL_DATA_DIR=str(SCRATCH / "data"),
        PORTAL_LANGUAGE="en",
        PORTAL_ENGINE="scripted",
        PORTAL_SCRIPTED_MS="5",
        PORTAL_RATE_PER_MINUTE="1000",
        # The time counts that Python takes to collect garbage, of which a process full of tests has very much.
        PORTAL_POLICY_BUDGET_MS="10000",
    )


prepare()
