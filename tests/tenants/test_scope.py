"""Without a tenant there is no data, and with one nobody else's: in sync and async code, in every way to ask."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import (
    Count,
    DateField,
    DateTimeField,
    Exists,
    F,
    Max,
    OuterRef,
    Prefetch,
    Subquery,
    prefetch_related_objects,
)

from accounts.models import User
from chat.models import Conversation, Message
from consent.models import ConsentNotice
from policy.errors import VersionFixed
from tenants.models import Tenant
from tenants.scope import TenantScopeMissing, current_tenant_id, tenant_scope
from tests.tenants.conftest import MODELS, Rows, every_model

Query = Callable[[Any], Any]


READS: dict[str, Query] = {
    "all": lambda m: list(m.objects.all()),
    "iterate the manager": lambda m: list(m.objects.filter()),
    "filter": lambda m: list(m.objects.filter(pk__isnull=False)),
    "exclude": lambda m: list(m.objects.exclude(pk__isnull=True)),
    "exists": lambda m: m.objects.exists(),
    "exclude exists": lambda m: m.objects.exclude(pk__isnull=True).exists(),
    "contains": lambda m: m.objects.contains(m(pk="0" * 32)),
    "in_bulk": lambda m: m.objects.in_bulk(),
    "in_bulk of keys": lambda m: m.objects.in_bulk(["0" * 32]),
    "get": lambda m: m.objects.get(pk="0" * 32),
    "first": lambda m: m.objects.first(),
    "last": lambda m: m.objects.last(),
    "earliest": lambda m: m.objects.earliest("pk"),
    "count": lambda m: m.objects.count(),
    "distinct count": lambda m: m.objects.distinct().count(),
    "len": lambda m: len(m.objects.all()),
    "bool": lambda m: bool(m.objects.all()),
    "index": lambda m: m.objects.all()[0],
    "slice": lambda m: list(m.objects.all()[:1]),
    "aggregate": lambda m: m.objects.aggregate(newest=Max("pk")),
    "annotate": lambda m: list(m.objects.annotate(how_many=Count("pk"))),
    "values": lambda m: list(m.objects.values("pk")),
    "values_list": lambda m: list(m.objects.values_list("pk", flat=True)),
    "only": lambda m: list(m.objects.only("pk")),
    "defer": lambda m: list(m.objects.defer("tenant")),
    "alias": lambda m: list(m.objects.alias(same=F("pk")).filter(same=F("pk"))),
    "iterator": lambda m: list(m.objects.iterator()),
    "order_by": lambda m: list(m.objects.order_by("pk").reverse()),
    "explain": lambda m: m.objects.explain(),
    "union": lambda m: list(m.objects.all().union(m.objects.all())),
    "intersection": lambda m: list(m.objects.all().intersection(m.objects.all())),
    "difference": lambda m: list(m.objects.all().difference(m.objects.none())),
    "or": lambda m: list(m.objects.all() | m.objects.all()),
    "and": lambda m: list(m.objects.all() & m.objects.all()),
    "xor": lambda m: list(m.objects.all() ^ m.objects.all()),
    "select_related": lambda m: list(m.objects.select_related("tenant")),
    "prefetch_related": lambda m: list(m.objects.prefetch_related("tenant")),
    "select_for_update": lambda m: list(m.objects.select_for_update()),
    "using": lambda m: list(m.objects.using("default")),
    "db_manager": lambda m: list(m.objects.db_manager("default").all()),
    "dates": lambda m: list(by_day(m)),
    "raw": lambda m: list(m.objects.raw("SELECT 1")),
    "raw of a query set": lambda m: list(m.objects.all().raw("SELECT 1")),
    "subquery": lambda m: list(User.objects.filter(tenant__in=m.objects.values("tenant"))),
    "subquery expression": lambda m: list(User.objects.annotate(x=Subquery(m.objects.values("pk")[:1]))),
    "exists of another": lambda m: list(
        User.objects.filter(Exists(m.objects.filter(tenant=OuterRef("tenant"))))
    ),
    "default manager": lambda m: list(m._default_manager.all()),
    "base manager": lambda m: list(m._base_manager.all()),
    "pickled query": lambda m: list(reread(m)),
}
WRITES: dict[str, Query] = {
    "create": lambda m: m.objects.create(),
    "get_or_create": lambda m: m.objects.get_or_create(pk="0" * 32),
    "update_or_create": lambda m: m.objects.update_or_create(pk="0" * 32),
    "bulk_create": lambda m: m.objects.bulk_create([m()]),
    "bulk_create of a query set": lambda m: m.objects.all().bulk_create([m()]),
    "bulk_update": lambda m: m.objects.bulk_update([m(pk="0" * 32)], ["tenant"]),
    "update": lambda m: m.objects.update(pk=F("pk")),
    "filter update": lambda m: m.objects.filter(pk__isnull=False).update(pk=F("pk")),
    "delete": lambda m: m.objects.all().delete(),
    "exclude delete": lambda m: m.objects.exclude(pk__isnull=True).delete(),
    "raw delete": lambda m: m.objects.all()._raw_delete("default"),
    "save": lambda m: m().save(),
    "delete a row": lambda m: m(pk="0" * 32).delete(),
}


def by_day(model: Any) -> list[Any]:
    """Ask for the days of the rows, by a moment or a day that they have."""
    names = {type(field): field.name for field in model._meta.fields}
    if DateTimeField in names:
        return list(model.objects.datetimes(names[DateTimeField], "day"))
    return list(model.objects.dates(names[DateField], "day") if DateField in names else model.objects.all())


def reread(model: Any) -> Any:
    """Put a query that was built outside a scope onto a query set, as a cache of query sets would."""
    import pickle

    query_set = model.objects.all()
    query_set.query = pickle.loads(pickle.dumps(query_set.query))  # noqa: S301 (our own)
    return query_set


def denied(ask: Callable[[], Any]) -> bool:
    try:
        ask()
    except (TenantScopeMissing, VersionFixed):  # or by what the row itself never allows
        return True
    return False


def test_outside_a_scope_every_query_raises(rows: Rows) -> None:
    asked = [(how, model) for how in READS | WRITES for model in every_model()]
    assert [pair for pair in asked if not denied(partial((READS | WRITES)[pair[0]], pair[1]))] == []


FOLLOWS: dict[str, Callable[[Rows], Any]] = {
    "foreign key": lambda rows: (
        Message(pk=rows.message.pk, conversation_id=rows.conversation.pk).conversation
    ),
    "reverse manager": lambda rows: list(rows.conversation.messages.all()),
    "reverse count": lambda rows: rows.conversation.messages.count(),
    "reverse add": lambda rows: rows.conversation.messages.add(rows.message),
    "reverse create": lambda rows: rows.conversation.messages.create(tenant=rows.north),
    "refresh": lambda rows: rows.conversation.refresh_from_db(),
    "deferred field": lambda rows: defer(rows.conversation, "created_at").created_at,
    "save a field": lambda rows: rows.conversation.save(update_fields=["updated_at"]),
    "delete": lambda rows: rows.conversation.delete(),
    "prefetch": lambda rows: prefetch_related_objects([rows.conversation], "messages"),
    "prefetch of a query": lambda rows: prefetch_related_objects(
        [rows.conversation], Prefetch("messages", Message.objects.all())
    ),
}


def defer(row: Conversation, field: str) -> Conversation:
    """Return the row as if the field had not been read."""
    return Conversation.from_db(
        "default", ["id", "tenant_id", "owner_id"], [row.pk, row.tenant_id, row.owner_id]
    )


@pytest.mark.parametrize("how", FOLLOWS)
def test_outside_a_scope_a_row_in_hand_leads_nowhere(how: str, rows: Rows) -> None:
    with pytest.raises(TenantScopeMissing):
        FOLLOWS[how](rows)
    with tenant_scope(rows.north.id):
        assert Conversation.objects.filter(pk=rows.conversation.pk).exists()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_inside_a_scope_every_way_of_reading_gives_its_tenants_rows_only(model: Any, rows: Rows) -> None:
    with tenant_scope(rows.south.id):
        foreign = {row.pk for row in model.objects.all()}
    with tenant_scope(rows.north.id):
        own = {row.pk for row in model.objects.all()}
        assert own
        assert foreign
        assert not own & foreign
        assert model.objects.count() == len(own)
        assert set(model.objects.in_bulk()) == own
        assert not model.objects.filter(pk__in=foreign).exists()
        assert {row.pk for row in model.objects.iterator()} == own
        assert {row.pk for row in model.objects.order_by().union(model.objects.order_by())} == own
        assert {row.pk for row in model.objects.all() | model.objects.all()} == own
        assert set(model.objects.exclude(pk__isnull=True).values_list("pk", flat=True)) == own
        assert {row.tenant_id for row in model._base_manager.all()} == {rows.north.id}
        with pytest.raises(model.DoesNotExist):
            model.objects.get(pk=foreign.pop())


def test_scopes_nest_and_close(rows: Rows) -> None:
    def seen() -> list[Any]:
        return [conversation.tenant_id for conversation in Conversation.objects.all()]

    with tenant_scope(rows.north.id):
        with tenant_scope(rows.south.id):
            assert seen() == [rows.south.id]
        assert seen() == [rows.north.id]
        with pytest.raises(ValueError, match="stop"), tenant_scope(rows.south.id):
            raise ValueError("stop")
        assert current_tenant_id() == rows.north.id
    with pytest.raises(TenantScopeMissing):
        current_tenant_id()


def test_a_query_built_in_one_scope_does_not_follow_into_another(rows: Rows) -> None:
    with tenant_scope(rows.north.id):
        built = Conversation.objects.all()
    with tenant_scope(rows.south.id):
        assert {row.tenant_id for row in built} == {rows.north.id}


def test_a_query_built_outside_a_scope_stays_denied_inside_one(rows: Rows) -> None:
    built = Conversation.objects.all()
    with tenant_scope(rows.north.id), pytest.raises(TenantScopeMissing):
        list(built)


TOGETHER: dict[str, Callable[[Any, Any], Any]] = {
    "or": lambda one, other: one | other,
    "and": lambda one, other: one & other,
    "xor": lambda one, other: one ^ other,
    "union": lambda one, other: one.union(other),
    "union all": lambda one, other: one.union(other, all=True),
    "intersection": lambda one, other: one.intersection(other),
    "difference": lambda one, other: one.difference(other),
    "or, counted": lambda one, other: [(one | other).count()],
    "union, counted": lambda one, other: [one.union(other).count()],
    "or, as a subquery": lambda one, other: one.filter(pk__in=(one | other).values("pk")),
}


@pytest.mark.parametrize("how", TOGETHER)
@pytest.mark.parametrize("denied_first", [True, False])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_scoped_query_and_one_built_outside_a_scope_give_nothing_together(
    model: Any, denied_first: bool, how: str, rows: Rows
) -> None:
    outside = model.objects.order_by()
    for refined in (outside, outside.filter(pk__isnull=False)):
        with tenant_scope(rows.north.id):
            scoped = model.objects.order_by()
            sides = (refined, scoped) if denied_first else (scoped, refined)
            with pytest.raises(TenantScopeMissing):
                list(TOGETHER[how](*sides))


FOREIGN_WRITES: dict[str, Callable[[Rows], Any]] = {
    "save": lambda rows: rows.foreign.save(),
    "save of a field": lambda rows: rows.foreign.save(update_fields=["updated_at"]),
    "delete": lambda rows: rows.foreign.delete(),
    "create": lambda rows: Conversation.objects.create(
        tenant_id=rows.south.id, owner_id=rows.foreign.owner_id, title="x"
    ),
    "bulk_create": lambda rows: Conversation.objects.bulk_create([rows.foreign], ignore_conflicts=True),
    "bulk_create upsert": lambda rows: Conversation.objects.bulk_create(
        [rows.foreign], update_conflicts=True, unique_fields=["id"], update_fields=["updated_at"]
    ),
    "get_or_create": lambda rows: Conversation.objects.get_or_create(
        pk=rows.foreign.pk, tenant_id=rows.south.id, defaults={"owner_id": rows.foreign.owner_id}
    ),
    "a child of theirs": lambda rows: Message(
        tenant=rows.north,
        conversation=rows.foreign,
        exchange=rows.foreign.pk,
        position=1,
        author="person",
        status="complete",
        body="x",
    ).save(),
    "children of theirs in bulk": lambda rows: Message.objects.bulk_create(
        [
            Message(
                tenant=rows.north, conversation=rows.foreign, exchange=rows.foreign.pk, position=1, body="x"
            )
        ]
    ),
    "a row of a person of theirs": lambda rows: Conversation.objects.create(
        tenant=rows.north, owner=User.objects.get(pk=rows.foreign.owner_id), title="x"
    ),
    "giving a row to a parent of theirs": lambda rows: Message.objects.update(conversation=rows.foreign),
    "giving a row to a person of theirs": lambda rows: Conversation.objects.update(
        owner=User.objects.get(pk=rows.foreign.owner_id)
    ),
    "move by saving": lambda rows: moved(rows.conversation, rows.south).save(),
    "move by update": lambda rows: Conversation.objects.update(tenant=rows.south),
    "move by update of the key": lambda rows: Conversation.objects.filter(pk__isnull=False).update(
        tenant_id=rows.south.id
    ),
    "move by bulk_update": lambda rows: Conversation.objects.bulk_update(
        [moved(rows.conversation, rows.south)], ["tenant"]
    ),
}


def moved(row: Conversation, tenant: Tenant) -> Conversation:
    row.tenant = tenant
    return row


@pytest.mark.parametrize("how", FOREIGN_WRITES)
def test_inside_a_scope_another_tenants_row_cannot_be_written(how: str, rows: Rows) -> None:
    with tenant_scope(rows.north.id), pytest.raises(TenantScopeMissing):
        FOREIGN_WRITES[how](rows)


def test_another_tenants_rows_are_out_of_reach_of_updates_and_deletes(rows: Rows) -> None:
    with tenant_scope(rows.north.id):
        everything = Message.objects.filter(pk__in=[rows.message.pk, rows.foreign_message.pk])
        assert everything.update(position=7) == 1
        assert Message.objects.bulk_update([rows.foreign_message], ["position"]) == 0
        assert everything.delete()[0] == 1
        with pytest.raises(Conversation.DoesNotExist):
            rows.foreign.refresh_from_db()
        with pytest.raises(Conversation.DoesNotExist):
            _ = Message(pk=rows.message.pk, conversation_id=rows.foreign.pk).conversation
    with tenant_scope(rows.south.id):
        assert Message.objects.get(pk=rows.foreign_message.pk).position == 1


FORGED_WRITES: dict[str, Callable[[ConsentNotice], Any]] = {
    "save": lambda forged: forged.save(),
    "delete": lambda forged: forged.delete(),
    "insert or overwrite": lambda forged: ConsentNotice.objects.bulk_create(
        [forged], update_conflicts=True, unique_fields=["id"], update_fields=["title", "tenant"]
    ),
    "overwrite by position": lambda forged: ConsentNotice.objects.bulk_create([forged], None, False, True),
    "overwrite in bulk": lambda forged: ConsentNotice.objects.bulk_update([forged], ["title"]),
}


@pytest.mark.parametrize("how", FORGED_WRITES)
def test_a_row_with_our_tenant_and_anothers_key_does_not_change_theirs(how: str, rows: Rows) -> None:
    key, title = rows.foreign_notice.pk, rows.foreign_notice.title
    with tenant_scope(rows.north.id):
        forged = ConsentNotice(pk=key, tenant=rows.north, version=9, language="en", title="forged")
        with suppress(TenantScopeMissing, IntegrityError), transaction.atomic():
            FORGED_WRITES[how](forged)
    with tenant_scope(rows.south.id):
        assert ConsentNotice.objects.get(pk=key).title == title
