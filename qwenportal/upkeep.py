"""Do what is due now and then, in a thread beside the server: conversations and organisations whose time is over go.

Whatever ends the process in between, the next look goes on; two processes that do the same harm nothing.
"""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, connections

from accounts.erasing import due_tenants, erase_tenant
from chat.purging import purge_expired
from chat.runtime import runtime
from common.errors import PortalError
from common.tracebacks import where

logger = logging.getLogger("portal.upkeep")

# Seconds between two looks: people wait days for what is done here.
POLL_S = 60.0


class Upkeep:
    """Look every minute, until closed."""

    def __init__(self, *, poll_s: float = POLL_S) -> None:
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the batch that is being deleted."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Do everything that is due; stop between two batches when closed."""
        for purged in purge_expired():
            runtime().forget_conversation_soon(purged.conversation, account_id=purged.owner)
            if self._stop.is_set():
                return
        for tenant in due_tenants():
            if erase_tenant(tenant, goes_on=lambda: not self._stop.is_set()):
                logger.warning("organisation %s is deleted", tenant.pk)

    def _run(self) -> None:
        while not self._stop.wait(self._poll_s):
            try:
                self.look()
            except (DatabaseError, PortalError) as error:
                logger.error("upkeep failed: %s", where(error))
            finally:
                connections.close_all()
