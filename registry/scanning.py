"""Look at every stored model file now and then, in a thread that stands back behind everything else."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connections

from common import clock
from common.errors import PortalError
from common.tracebacks import where
from registry.models import ModelArtifact, Status
from registry.store import sweep_store, unlisted_files
from registry.verifying import look_at, note_finding, was_touched

logger = logging.getLogger("portal.registry")

# Seconds between two looks at the clock, and how long it rests for each second that it reads.
POLL_S, REST = 600.0, 3.0
NICENESS = 19


class ScanStopped(Exception):
    """The server stops."""


class Scanner:
    """Verify what was touched, or not verified for PORTAL_MODEL_SCAN_HOURS, one file after the other.

    It reads a quarter of the time.

    When a file was last looked at stands on its artefact, so a restart neither forgets nor repeats a scan.
    """

    def __init__(self, *, poll_s: float = POLL_S) -> None:
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._resumed = 0.0
        self._told: set[str] = set()

    def start(self) -> None:
        """Begin, unless the settings want no scan."""
        if settings.PORTAL.model_scan_hours and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="model-scan", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop within the time that 4 MiB take."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def scan(self) -> int:
        """Look at everything that is due, and return how many files were. Raises ScanStopped."""
        since = clock.now() - timedelta(hours=settings.PORTAL.model_scan_hours)
        kept = ModelArtifact.objects.exclude(status=Status.RETIRED).order_by("checked_at")
        rows = [row for row in kept if row.checked_at < since or was_touched(row)]
        for row in rows:
            self._resumed = time.monotonic()
            finding = look_at(row, pause=self._rest)
            note_finding(row, finding)
            if finding.detail:
                logger.error("model scan: %s", finding.detail)
        return len(rows)

    def tidy(self) -> None:
        """Remove what killed imports and workers left behind, and tell of files that no artefact names."""
        if removed := sweep_store():
            logger.warning("left behind by a killed process and removed: %s", ", ".join(removed))
        unlisted = {path.name for path in unlisted_files()}
        if unlisted - self._told:
            logger.warning("files in the store that no artefact names: %s", ", ".join(sorted(unlisted)))
        self._told = unlisted

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        pause_s = 0.0  # What was left behind is looked at when the server starts.
        while not self._stop.wait(pause_s):
            pause_s = self._poll_s
            try:
                self.tidy()
                self.scan()
            except ScanStopped:
                return
            except (DatabaseError, PortalError) as error:
                logger.error("model scan failed: %s", where(error))
            finally:
                connections.close_all()

    def _rest(self) -> None:
        """Wait three times as long as the last piece took."""
        took = time.monotonic() - self._resumed
        if self._stop.wait(REST * took):
            raise ScanStopped
        self._resumed = time.monotonic()
