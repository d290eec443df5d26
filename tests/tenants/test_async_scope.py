"""The tenant scope holds in asynchronous code as it does elsewhere, with other tasks at work beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.db.models import F, Max

from chat.models import Conversation, Message
from common.threads import in_database_thread
from consent.models import ConsentNotice
from policy.errors import VersionFixed
from tenants.models import Tenant
from tenants.scope import TenantScopeMissing, current_tenant_id, tenant_scope
from tests.tenants.conftest import Rows, every_model

ASYNC: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "aget": lambda m: m.objects.aget(pk="0" * 32),
    "afirst": lambda m: m.objects.afirst(),
    "aexists": lambda m: m.objects.aexists(),
    "acount": lambda m: m.objects.acount(),
    "aaggregate": lambda m: m.objects.aaggregate(newest=Max("pk")),
    "ain_bulk": lambda m: m.objects.ain_bulk(),
    "acontains": lambda m: m.objects.acontains(m(pk="0" * 32)),
    "aiterator": lambda m: collect(m.objects.aiterator()),
    "async for": lambda m: collect(m.objects.all()),
    "async for filter": lambda m: collect(m.objects.filter(pk__isnull=False)),
    "async for exclude": lambda m: collect(m.objects.exclude(pk__isnull=True)),
    "async for select_related": lambda m: collect(m.objects.select_related("tenant")),
    "async for values": lambda m: collect(m.objects.values("pk")),
    "aexplain": lambda m: m.objects.aexplain(),
    "acreate": lambda m: m.objects.acreate(),
    "aget_or_create": lambda m: m.objects.aget_or_create(pk="0" * 32),
    "abulk_create": lambda m: m.objects.abulk_create([m()]),
    "abulk_update": lambda m: m.objects.abulk_update([m(pk="0" * 32)], ["tenant"]),
    "aupdate": lambda m: m.objects.aupdate(pk=F("pk")),
    "adelete": lambda m: m.objects.exclude(pk__isnull=True).adelete(),
    "asave": lambda m: m().asave(),
    "adelete a row": lambda m: m(pk="0" * 32).adelete(),
    "sync_to_async": lambda m: sync_to_async(lambda: list(m.objects.all()))(),
    "database_sync_to_async": lambda m: database_sync_to_async(m.objects.count)(),
    "in_database_thread": lambda m: in_database_thread(lambda: list(m.objects.all()))(),
    "thread_sensitive=False": lambda m: sync_to_async(m.objects.count, thread_sensitive=False)(),
    "to_thread": lambda m: asyncio.to_thread(m.objects.count),
}


async def collect(rows: AsyncIterator[Any]) -> list[Any]:
    return [row async for row in rows]


async def was_denied(query: Awaitable[Any]) -> bool:
    try:
        await query
    except (TenantScopeMissing, VersionFixed):  # or by what the row itself never allows
        return True
    return False


@pytest.mark.django_db(transaction=True)
async def test_outside_a_scope_every_asynchronous_query_raises(rows: Rows) -> None:
    asked = [(how, model) for how in ASYNC for model in every_model()]
    assert [pair for pair in asked if not await was_denied(ASYNC[pair[0]](pair[1]))] == []


async def seen_by(tenant: Tenant, *, rounds: int = 5) -> set[Any]:
    """Look in many ways, giving way to other tasks between."""
    seen = set()
    with tenant_scope(tenant.id):
        for _ in range(rounds):
            await asyncio.sleep(0)
            seen |= {row.tenant_id async for row in Conversation.objects.select_related("owner")}
            seen |= {row.tenant_id for row in await sync_to_async(lambda: list(Message.objects.all()))()}
            notice = await ConsentNotice.objects.afirst()
            assert notice is not None
            seen.add(notice.tenant_id)
            await asyncio.sleep(0.001)
    return seen


@pytest.mark.django_db(transaction=True)
async def test_two_tasks_with_two_tenants_side_by_side_see_their_own(rows: Rows) -> None:
    tenants = [rows.north, rows.south] * 3
    for tenant, seen in zip(tenants, await asyncio.gather(*map(seen_by, tenants)), strict=True):
        assert seen == {tenant.id}
    with pytest.raises(TenantScopeMissing):
        await Conversation.objects.acount()


@pytest.mark.django_db(transaction=True)
async def test_a_bare_executor_thread_has_no_scope(rows: Rows) -> None:
    with tenant_scope(rows.north.id), ThreadPoolExecutor(1) as pool:
        with pytest.raises(TenantScopeMissing):
            await asyncio.get_running_loop().run_in_executor(pool, Conversation.objects.count)
        assert await asyncio.to_thread(current_tenant_id) == rows.north.id
