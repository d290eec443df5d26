"""People, and artefacts that have come as far as a test wants them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.models import User
from accounts.services import create_account
from registry.models import ModelArtifact
from registry.services import (
    activate,
    approve,
    import_file,
    mark_evaluated,
    reject,
    retire,
    submit,
)
from tenants.models import Tenant
from tests.conftest import PASSWORD, Cast
from tests.registry.support import model_bytes

Make = Callable[..., ModelArtifact]


@dataclasses.dataclass(frozen=True)
class People:
    """The cast, a second operator, and an officer of the other organisation."""

    cast: Cast
    second: User
    south_officer: User


@pytest.fixture
def people(store: Path, cast: Cast) -> People:
    def make(login: str, role: str, tenant: Tenant | None) -> User:
        return create_account(tenant=tenant, login=login, display_name=login, role=role, password=PASSWORD)

    return People(cast, make("hao", "operator", None), make("bo", "officer", tenant_of(cast.outsider)))


@pytest.fixture
def make(people: People, tmp_path: Path) -> Make:
    """Return a maker of artefacts that have come as far as `status`; an operator approves, or `by`."""
    count = 0

    def build(status: str = "active", *, by: User | None = None, missed: int = 0) -> ModelArtifact:
        nonlocal count
        count += 1
        file = tmp_path / f"model-{count}.gguf"
        file.write_bytes(model_bytes(b"%d;" % count))
        artifact = import_file(file, source="a disk", by=people.cast.operator)
        operator, reason = people.cast.operator, "good enough" if missed else ""
        steps: dict[str, Callable[[], object]] = {
            "evaluated": lambda: mark_evaluated(artifact, thresholds_missed=missed, by=operator),
            "submitted": lambda: submit(artifact, by=operator, reason=reason),
            "approved": lambda: approve(artifact, by=by or people.second, reason=reason),
            "active": lambda: activate(artifact, by=operator),
        }
        if status == "rejected":
            for name in ("evaluated", "submitted"):
                steps[name]()
            reject(artifact, by=people.second, reason="no")
        elif status == "retired":
            retire(artifact, by=operator, reason="old")
        elif status != "imported":
            for name, step in steps.items():
                step()
                if name == status:
                    break
        assert artifact.status == status
        return artifact

    return build


def tenant_of(person: User) -> Tenant:
    assert person.tenant is not None
    return person.tenant


def production(settings: Settings) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, mode="production", model_signatures="required")


def state(artifact: ModelArtifact) -> str:
    artifact.refresh_from_db()
    return artifact.status
