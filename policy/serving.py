"""Have the rules of each organisation at hand, and follow what is published, in every process.

An idle process asks the database nothing: whether something was published shows in the stamp file, and in messages of
the channel layer. Where machines may share the database and nothing else, a message got lost, or whoever published was
killed before telling, a turn asks the database which version is in force once what it knows is `REREAD_S` old. The
first turn after a change waits for its organisation's rules, which are put together off the event loop; turns that run
go on with theirs.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
import zlib
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.db import DatabaseError

from common.errors import PortalError
from common.threads import in_database_thread
from common.tracebacks import where
from policy.announcing import Stamp, read_stamp
from policy.base import base_rules
from policy.errors import PolicyUnavailable
from policy.layers import LayerRule, compose
from policy.ruleset import RuleFileError, RuleSet
from policy.versions import current_version, layer_of, name_of
from tenants.scope import current_tenant_id, tenant_scope

logger = logging.getLogger("portal.policy")

# What is published holds everywhere within three seconds.
REREAD_S = 2.0

_FAILURES = (RuleFileError, PortalError, DatabaseError, zlib.error, ValueError)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Rules as they were put together, and what was seen, and when, before they were read."""

    seen: tuple[int, Stamp]
    read_at: float
    version: UUID | None
    rules: RuleSet


@dataclass(frozen=True, slots=True)
class _Read:
    """What the database says: which version is in force, and its layer, or `known` where that was kept already."""

    seen: tuple[int, Stamp]
    read_at: float
    version: UUID | None
    name: str
    layer: list[LayerRule]
    known: RuleSet | None


class RuleSets:
    """The rules in force, by organisation, looked up again after `reread_s`. Any thread may ask."""

    def __init__(self, *, reread_s: float = math.inf) -> None:
        self._reread_s = reread_s
        self._kept: dict[UUID, _Kept] = {}
        self._locks: dict[UUID, threading.Lock] = {}
        self._told = 0

    def note_change(self) -> None:
        """Look at the database again before the next turn of each organisation."""
        self._told += 1

    def known(self) -> list[UUID]:
        """Return the organisations whose rules are at hand."""
        return list(self._kept)

    def at_hand(self, tenant_id: UUID) -> RuleSet | None:
        """Return the rules in force, None where something may have been published since they were read."""
        kept = self._kept.get(tenant_id)
        if kept is None or kept.seen != self._seen() or time.monotonic() - kept.read_at > self._reread_s:
            return None
        return kept.rules

    def load(self, tenant_id: UUID) -> RuleSet:
        """Return the rules in force. Synchronous code only. Raises PolicyUnavailable."""
        return self.at_hand(tenant_id) or self._put_together(tenant_id, self._read(tenant_id))

    def load_for_scope(self) -> RuleSet:
        """Return the rules of the scope's organisation. Synchronous code only. Raises PolicyUnavailable."""
        return self.load(current_tenant_id())

    async def aload(self, tenant_id: UUID) -> RuleSet:
        """Return the rules in force. Raises PolicyUnavailable: nothing is decided by rules that are out of date."""
        found = self.at_hand(tenant_id)
        if found is not None:
            return found
        read = await in_database_thread(self._read)(tenant_id)
        return await asyncio.to_thread(self._put_together, tenant_id, read)

    async def refresh(self) -> None:
        """Read again what is at hand, so that nobody has to wait for it."""
        for tenant_id in self.known():
            try:
                await self.aload(tenant_id)
            except PolicyUnavailable:
                continue  # Logged where it happened; the next turn is refused with it.

    def _seen(self) -> tuple[int, Stamp]:
        return self._told, read_stamp()

    def _read(self, tenant_id: UUID) -> _Read:
        seen, read_at, kept = self._seen(), time.monotonic(), self._kept.get(tenant_id)
        try:
            with tenant_scope(tenant_id):
                current = current_version()
                version = current.pk if current is not None else None
                known = kept.rules if kept is not None and kept.version == version else None
                layer = [] if known is not None else layer_of(current)
                return _Read(seen, read_at, version, name_of(current), layer, known)
        except _FAILURES as error:
            logger.error("the rules of an organisation could not be read: %s", where(error))
            raise PolicyUnavailable from None

    def _put_together(self, tenant_id: UUID, read: _Read) -> RuleSet:
        """Return the rules of what was read; only one thread at a time does so for an organisation."""
        with self._locks.setdefault(tenant_id, threading.Lock()):
            kept = self._kept.get(tenant_id)
            same = kept.rules if kept is not None and kept.version == read.version else read.known
            rules = same or _compose(read)
            self._kept[tenant_id] = _Kept(read.seen, read.read_at, read.version, rules)
            return rules


@cache
def rule_sets() -> RuleSets:
    """Return this process's rule sets."""
    return RuleSets(reread_s=REREAD_S)


def _compose(read: _Read) -> RuleSet:
    try:
        if read.version is None:
            return base_rules()
        return compose(base_rules(), read.layer, version=read.name)
    except _FAILURES as error:
        logger.error("the rules of an organisation could not be put together: %s", where(error))
        raise PolicyUnavailable from None
