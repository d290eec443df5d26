"""Find, or make, a row of every kind that an organisation or one of its people has, and name it by its id."""

from __future__ import annotations

import uuid
from typing import Any

from django.apps import apps
from django.db import models

from accounts.models import User
from common import clock
from tenants.models import Tenant
from tests.walls.people import People, scope_of

# By what a row belongs to an organisation, or to a person of it.
OF_TENANT, OF_PERSON = ("tenant", "tenant_id"), ("account", "account_id", "user", "owner")
# What names an account and is none of its things, each with its reason.
NOBODYS = {
    "registry.ModelEvaluation": "an artefact's, whoever asked for it",
    "account.EmailAddress": "allauth's; the portal keeps no addresses",
    "socialaccount.SocialAccount": "allauth's; the portal keeps accounts.Identity",
    "socialaccount.SocialToken": "likewise",
}


def owned_models() -> list[type[models.Model]]:
    """Return the models whose rows belong to an organisation or a person."""
    return [model for model in apps.get_models() if _owner_field(model) and model._meta.label not in NOBODYS]


def _owner_field(model: type[models.Model]) -> str:
    names = {field.name for field in model._meta.concrete_fields}
    return next((name for name in (*OF_TENANT, *OF_PERSON) if name in names), "")


def every_id(people: People) -> dict[str, str]:
    """Return an id of each kind of thing that `north` has, by the name of its model."""
    ids = {"tenants.Tenant": str(people.owner.tenant_id), "accounts.User": str(people.colleague.pk)}
    with scope_of(people.owner):
        for model in owned_models():
            ids.setdefault(model._meta.label, str((first_of(model, people) or make(model, people)).pk))
    return ids


def first_of(model: type[models.Model], people: People) -> models.Model | None:
    """Return a row of the organisation's or of the owner's; within the scope."""
    return rows_of(model, people).first()


def rows_of(model: type[models.Model], people: People) -> models.QuerySet[Any]:
    """Return the organisation's rows, or its people's; of what belongs to nobody all. Within the scope."""
    name, here = _owner_field(model), people.owner.tenant_id
    rows: models.QuerySet[Any] = model._default_manager.order_by("pk")
    if not name:
        return rows
    if name in OF_TENANT:
        return rows.filter(**{name.removesuffix("_id") if name == "tenant" else name: here})
    ours = [person.pk for person in people if person.tenant_id == here]
    return rows.filter(**{f"{name}__in": ours})


def make(model: type[models.Model], people: People) -> models.Model:
    """Make a row with something in each field that must have something. Where that is no row, make it in things.py."""
    values: dict[str, Any] = {
        field.name: _value(field, people) for field in model._meta.concrete_fields if _must_be_given(field)
    }
    row = model(**values)
    row.save(force_insert=True)
    return row


def _must_be_given(field: models.Field[Any, Any]) -> bool:
    return not (field.null or field.has_default() or field.blank) and not isinstance(field, models.AutoField)


def _value(field: models.Field[Any, Any], people: People) -> Any:
    if isinstance(field, models.ForeignKey):
        known: dict[Any, models.Model] = {Tenant: _tenant(people), User: people.owner}
        other: Any = field.related_model
        return known.get(other) or first_of(other, people) or make(other, people)
    if field.choices:
        return field.choices[0][0]
    kinds: tuple[tuple[type[Any], Any], ...] = (
        (models.UUIDField, people.owner.pk if field.name.endswith("_by") else uuid.uuid4()),
        (models.BooleanField, False),
        (models.DateTimeField, clock.now()),
        (models.DateField, clock.now().date()),
        (models.IntegerField, 1),
        (models.JSONField, {}),
    )
    return next((value for kind, value in kinds if isinstance(field, kind)), "heron")


def _tenant(people: People) -> Tenant:
    assert people.owner.tenant is not None
    return people.owner.tenant


def snapshot(people: People) -> dict[str, list[Any]]:
    """Return everything that the organisation and its people have, sealed as it is stored."""
    with scope_of(people.owner):
        found = {model._meta.label: list(rows_of(model, people).values()) for model in owned_models()}
    row: Any = Tenant.objects.values().get(pk=_tenant(people).pk)
    return found | {"tenants.Tenant": [row]}
