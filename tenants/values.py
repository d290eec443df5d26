"""Read system parameters: cached in each process, and read anew once somebody has changed one.

A read costs a look at the stamp file, two microseconds; the first one after a change also one query. Processes that
share no folder hear of changes through the channel layer (accounts.live.announce_parameters), which calls
`forget_values`.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from crypto.scope import PLATFORM
from tenants.models import ChangeState, InstallationParameterChange, TenantParameterChange
from tenants.parameters import BY_CODE, IpLogging
from tenants.scope import tenant_scope

CACHED_TENANTS = 4096

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Values:
    """The parameters as they hold at one moment; what nobody has set has its initial value."""

    texts: Mapping[str, str] = field(default_factory=dict)

    def text(self, code: str) -> str:
        """Return a value as it is stored. Raises KeyError for a parameter that nobody registered."""
        parameter = BY_CODE[code]
        stored = self.texts.get(code)
        return parameter.initial() if stored is None else parameter.clamp(stored)

    def number(self, code: str) -> int:
        """Return a whole number."""
        return int(self.text(code))


class _Cache:
    """Keep the values of each organisation (None: the installation's) as long as the stamp is the same. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: Stamp = (0, 0)
        self._kept: dict[UUID | None, Values] = {}
        self._generation = 0

    def get(self, tenant_id: UUID | None) -> Values:
        """Return the values; may ask the database, so outside the event loop only."""
        generation, found = self._look(tenant_id)
        if found is None:
            found = _read(tenant_id)
            self._keep(tenant_id, found, generation=generation)
        return found

    def forget(self) -> None:
        """Read everything anew from now on."""
        with self._lock:
            self._kept.clear()
            self._generation += 1

    def _look(self, tenant_id: UUID | None) -> tuple[int, Values | None]:
        stamp = read_stamp()
        with self._lock:
            if stamp != self._stamp:
                self._kept.clear()
                self._stamp, self._generation = stamp, self._generation + 1
            return self._generation, self._kept.get(tenant_id)

    def _keep(self, tenant_id: UUID | None, values: Values, *, generation: int) -> None:
        """Keep what was read, unless something changed meanwhile, or was read where a change may be rolled back."""
        if getattr(_changing, "depth", 0):
            return
        with self._lock:
            if generation == self._generation:
                if len(self._kept) >= CACHED_TENANTS:
                    self._kept.clear()
                self._kept[tenant_id] = values


_cache = _Cache()
_changing = threading.local()


def tenant_values(tenant_id: UUID) -> Values:
    """Return an organisation's parameters as they hold now. In a database thread."""
    return _cache.get(tenant_id)


def installation_values() -> Values:
    """Return the installation's parameters as they hold now. In a database thread."""
    return _cache.get(None)


def logs_addresses(chain_id: UUID) -> bool:
    """Return whether network addresses stand, masked, in the audit log of an organisation; in the platform's always."""
    return chain_id == PLATFORM or tenant_values(chain_id).text("ip_logging") == IpLogging.MASKED


def forget_values() -> None:
    """Read everything anew from now on, in this process."""
    _cache.forget()


@contextmanager
def changing_values() -> Iterator[None]:
    """Wrap the transaction that changes values: every process of this machine reads anew once it is committed.

    What this thread reads until then is not kept, for it may be rolled back.
    """
    _changing.depth = getattr(_changing, "depth", 0) + 1
    try:
        with transaction.atomic():
            yield
            transaction.on_commit(_replace_stamp)
    finally:
        _changing.depth -= 1
        forget_values()


def stamp_file() -> Path:
    """Return the file that is another one after each change."""
    return Path(settings.PORTAL.data_dir) / "parameters.stamp"


def read_stamp() -> Stamp:
    """Return what tells two stamps apart; (0, 0) before there is one."""
    try:
        found = stamp_file().stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _replace_stamp() -> None:
    stamp = stamp_file()
    stamp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = stamp.with_name(f"{stamp.name}.{secrets.token_hex(4)}")
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL, 0o600))
    fresh.replace(stamp)


def _read(tenant_id: UUID | None) -> Values:
    if tenant_id is None:
        return Values(_newest(InstallationParameterChange.objects.all()))
    with tenant_scope(tenant_id):
        return Values(_newest(TenantParameterChange.objects.all()))


def _newest(changes: QuerySet[Any]) -> dict[str, str]:
    """Return the value of each parameter that was set: that of its newest change in force."""
    applied = changes.filter(state=ChangeState.APPLIED).order_by("number")
    return dict(applied.values_list("code", "new"))
