"""On PostgreSQL the database itself keeps tenants apart, where the manager is gone around."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.migrations.loader import MigrationLoader

from qwenportal.database import parse_database_url
from qwenportal.fitness import StartRefused, require_walls
from tenants.models import Tenant, TenantModel
from tenants.walls import PostgresSQL, wall_off, walled_tables
from tests.audit.conftest import postgres_dsn  # noqa: F401 - a fixture
from tests.client import Client
from tests.portal import PortalProcess
from tests.tenants.wall_probe import APP_ROLE

# Tables that name a tenant and have no wall, each with its reason.
OUTSIDE = {
    "accounts_user": "signing in comes before any scope",
    "audit_auditevent": "every query names its chain; the portal's own reports read all of them",
    "audit_auditchain": "likewise",
    "crypto_datakey": "sealed with the key-encryption key; opened by scope",
    "registry_modelapproval": "who may use which model is the installation's business",
    "registry_modelevent": "likewise",
}


def run_probe(part: str, folder: Path, dsn: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tenants.wall_probe", part],
        env=os.environ | {"PORTAL_DATA_DIR": str(folder / "data"), "DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.fixture(scope="module")
def owner(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_dsn: str,  # noqa: F811 - the fixture
) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("walls")
    return run_probe("owner", folder, postgres_dsn), folder


@pytest.fixture(scope="module")
def served(owner: tuple[dict[str, Any], Path], postgres_dsn: str) -> dict[str, Any]:  # noqa: F811 - the fixture
    return run_probe("app", owner[1], postgres_dsn.replace("postgres@", f"{APP_ROLE}@"))


def test_every_model_of_a_tenants_data_has_its_wall_in_a_migration() -> None:
    loader = MigrationLoader(None)
    walls = {
        operation.sql[0]
        for migration in loader.disk_migrations.values()
        for operation in migration.operations
        if isinstance(operation, PostgresSQL)
    }
    assert walled_tables()
    assert {table for table in walled_tables() if wall_off(table).sql[0] not in walls} == set()


def test_a_table_that_names_a_tenant_has_a_wall_or_a_reason() -> None:
    named = {model._meta.db_table for model in apps.get_models() if names_a_tenant(model)}
    assert named - set(walled_tables()) == OUTSIDE.keys() & named
    assert OUTSIDE.keys() <= named


def names_a_tenant(model: type[models.Model]) -> bool:
    fields = {field.name for field in model._meta.get_fields()}
    return model is not Tenant and (issubclass(model, TenantModel) or bool({"tenant", "tenant_id"} & fields))


@pytest.mark.postgres
def test_the_walls_stand_after_migrating(owner: tuple[dict[str, Any], Path]) -> None:
    assert owner[0]["missing"] == []
    assert "superuser" in owner[0]["fault"]


@pytest.mark.postgres
def test_plain_sql_sees_nothing_outside_a_scope(served: dict[str, Any]) -> None:
    assert served["fault"] == ""
    assert served["outside"] == served["left_behind"] == []


@pytest.mark.postgres
def test_plain_sql_and_bare_queries_see_the_scopes_tenant_only(served: dict[str, Any]) -> None:
    north, south = served["tenants"]
    assert served["unseen"] == []
    for seen in (served["inside"], served["bare"]):
        assert seen == {north: [north], south: [south]}


@pytest.mark.postgres
def test_scopes_nest_and_survive_what_is_taken_back(served: dict[str, Any]) -> None:
    north, south = served["tenants"]
    assert served["nested"] == [[north], [south], [north], []]
    assert served["after_savepoint"] == [north]


@pytest.mark.postgres
def test_no_row_goes_to_another_tenant_and_none_of_its_rows_is_touched(served: dict[str, Any]) -> None:
    assert served["written"] == []
    assert {name: count for name, count in served["touched"].items() if count} == {}
    assert len(served["touched"]) == 2 * len(walled_tables())


@pytest.mark.postgres
def test_tasks_side_by_side_see_their_own(served: dict[str, Any]) -> None:
    north, south = served["tenants"]
    assert served["async"] == [[north], [south]] * 4


@pytest.mark.postgres
def test_what_works_for_all_organisations_still_does(served: dict[str, Any]) -> None:
    assert served["interrupted"] == 0
    assert served["plan"] == sorted(served["tenants"])


@pytest.mark.postgres
async def test_people_sign_in_and_chat_through_the_serving_role(
    owner: tuple[dict[str, Any], Path],
    served: dict[str, Any],
    postgres_dsn: str,  # noqa: F811 - the fixture
) -> None:
    assert served["left_behind"] == []
    dsn = postgres_dsn.replace("postgres@", f"{APP_ROLE}@")
    portal = PortalProcess(
        owner[1] / "data", PORTAL_ENGINE="scripted", PORTAL_SCRIPTED_MS="5", DATABASE_URL=dsn
    ).start()
    try:
        client = Client(portal.url).sign_in("mei", organisation="north")
        async with client.socket() as socket:
            await socket.ready()
            turn = await socket.ask("a heron by the river")
            assert turn.end["status"] == "complete"
        assert "heron" in client.get(f"/c/{turn.conversation}/").text
        stranger = Client(portal.url).sign_in("mei", organisation="south")
        assert stranger.get(f"/c/{turn.conversation}/").status == 404
    finally:
        portal.stop()


def test_production_is_not_served_as_a_role_that_no_wall_binds(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr("qwenportal.fitness.role_fault", lambda _: "the database's role has BYPASSRLS")
    monkeypatch.setattr("qwenportal.fitness.missing_walls", lambda _: [])
    require_walls()
    settings.PORTAL = dataclasses.replace(settings.PORTAL, mode="production")
    with pytest.raises(StartRefused, match="BYPASSRLS"):
        require_walls()
    monkeypatch.setattr("qwenportal.fitness.role_fault", lambda _: "")
    monkeypatch.setattr("qwenportal.fitness.missing_walls", lambda _: ["chat_message"])
    with pytest.raises(StartRefused, match="chat_message"):
        require_walls()


def test_postgresql_is_reached_through_the_wall() -> None:
    assert parse_database_url("postgresql://a@b/c")["ENGINE"] == "tenants.postgres"
