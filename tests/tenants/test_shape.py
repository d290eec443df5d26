"""Every model is so made that the scope holds it: what a new one could get wrong fails here."""

from __future__ import annotations

import io

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError

from tenants.managers import ScopedManager
from tests.tenants.conftest import Rows, every_model


@pytest.mark.parametrize("model", every_model(), ids=lambda model: model.__name__)
def test_every_manager_of_a_tenants_model_is_scoped(model: type) -> None:
    """The base manager follows foreign keys, and any other one could be taken by mistake."""
    options = model._meta  # type: ignore[attr-defined]
    managers = [*options.managers, options.base_manager, options.default_manager]
    assert all(isinstance(manager, ScopedManager) for manager in managers)


def test_no_model_without_a_scope_leads_back_to_a_tenants_rows() -> None:
    """`User.objects.filter(conversation__…)` would join the rows of every tenant."""
    open_ways = [
        f"{model._meta.label}.{field.name}"
        for model in every_model()
        for field in model._meta.concrete_fields
        if field.remote_field and field.related_model not in every_model() and not field.remote_field.hidden
    ]
    assert open_ways == []


def test_what_hangs_on_a_tenants_row_is_the_tenants_too() -> None:
    loose = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if model not in every_model()
        for field in model._meta.concrete_fields
        if field.related_model in every_model()
    ]
    assert loose == []


def test_no_table_between_two_models_is_without_a_tenant() -> None:
    assert [model._meta.label for model in every_model() if model._meta.many_to_many] == []


@pytest.mark.parametrize(
    "label", ["chat", "consent", "policy.TenantRule", "accounts.IdentityProvider", "tenants.QuotaUse"]
)
def test_djangos_own_way_to_copy_tables_gets_nothing(label: str, rows: Rows) -> None:
    with pytest.raises(CommandError, match="outside a tenant scope"):
        call_command("dumpdata", label, stdout=io.StringIO())
