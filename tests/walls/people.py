"""The people of the table: those of the cast, and the roles that it lacks in the other organisation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields

from accounts.models import User
from accounts.services import create_account
from consent.services import accept_notice, read_current_notice
from tenants.scope import tenant_scope
from tests.conftest import PASSWORD, Cast
from tests.tenants.support import tenant_of


@dataclass(frozen=True)
class People:
    """Everybody but the anonymous, by the names of tests.walls.table.PEOPLE."""

    owner: User
    colleague: User
    admin: User
    officer: User
    auditor: User
    operator: User
    outside_member: User
    outside_admin: User
    outside_officer: User
    outside_auditor: User

    def __getitem__(self, name: str) -> User | None:
        """Return a person; None for the anonymous."""
        return None if name == "anonymous" else getattr(self, name)

    def __iter__(self) -> Iterator[User]:
        return iter([getattr(self, field.name) for field in fields(self)])


def make_people(cast: Cast) -> People:
    """Return the people; members have accepted their notices."""

    def make(role: str) -> User:
        return create_account(
            tenant=cast.outsider.tenant, login=role, display_name=role, role=role, password=PASSWORD
        )

    people = People(
        owner=cast.member,
        colleague=cast.colleague,
        admin=cast.admin,
        officer=cast.officer,
        auditor=cast.auditor,
        operator=cast.operator,
        outside_member=cast.outsider,
        outside_admin=make("admin"),
        outside_officer=make("officer"),
        outside_auditor=cast.outside_auditor,
    )
    for person in (people.owner, people.colleague, people.outside_member):
        with scope_of(person):
            accept_notice(person, notice=read_current_notice(language="en"), ip=None)
    return people


def scope_of(person: User) -> AbstractContextManager[None]:
    """Return the scope of a person's organisation."""
    return tenant_scope(tenant_of(person))


def tenant_code(person: User) -> str:
    """Return the code of a person's organisation."""
    assert person.tenant is not None
    return person.tenant.code
