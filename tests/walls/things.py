"""Make one of each thing that an address can name, in the organisation `north`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path

from django.conf import settings

from accounts.importing import keep_import
from accounts.linking import identities_of, link_identity
from accounts.models import User
from accounts.onboarding import Way
from accounts.parameters import Wanted, set_parameters
from accounts.providers import ProviderDraft, add_provider, list_providers, switch_provider
from accounts.session_models import PortalSession
from accounts.tokens import create_token
from chat.models import Author, Conversation, Message, Status
from common import clock
from tenants.models import Tenant
from tests.console import policy_support, support
from tests.walls.people import People, scope_of, tenant_code


class Reach(Enum):
    """Whom a thing exists for."""

    ORGANISATION = auto()  # one organisation; for everybody else it is like a missing one
    EACH = auto()  # each organisation counts its own, so the same number means another thing
    INSTALLATION = auto()  # all of them


@dataclass(frozen=True)
class Thing:
    """A kind of thing: `make` makes one and returns what stands in the address, `missing` stands for none."""

    reach: Reach
    make: Callable[[People], object]
    missing: Callable[[], object] = uuid.uuid4


def _conversation(people: People) -> object:
    tenant = people.owner.tenant
    with scope_of(people.owner):
        conversation = Conversation.objects.create(tenant=tenant, owner=people.owner, title="A heron at dawn")
        for position, author in enumerate((Author.PERSON, Author.MODEL), 1):
            Message.objects.create(
                tenant=tenant, conversation=conversation, exchange=uuid.uuid4(), position=position,
                author=author, status=Status.COMPLETE, body="A heron?",
            )  # fmt: skip
    return conversation.pk


def _said_by(author: Author) -> Callable[[People], object]:
    def find(people: People) -> object:
        with scope_of(people.owner):
            return Message.objects.get(author=author).pk

    return find


def _import(people: People) -> object:
    """Make one that has nothing to do, so that whoever begins it leaves no thread behind that writes."""
    return keep_import([], way=Way.INVITATION, by=people.admin).pk


def _token(person: User) -> object:
    return create_token(person, name="Reports", scopes=["models.read"], days=7).token.pk


def _artifact(people: People) -> object:
    """Make one that waits for a second person, beside one that is in use and one that was."""
    second = support.second_operator()
    for revision in (2, 3):
        support.activate(revision, by=second, second=people.operator)
    return support.submit(1, by=second).pk


def _session(people: People) -> object:
    later = clock.now() + timedelta(minutes=5)
    return PortalSession.objects.create(digest="f" * 40, account=people.owner, expires_at=later).id


def _rules(people: People) -> object:
    """Make a draft, beside a version that is in force."""
    second = policy_support.officer("hua", people.officer.tenant)
    policy_support.publish(people.officer, second)
    return policy_support.draft(people.officer, policy_support.CASES).pk


def _way_in(people: People) -> object:
    """Make a CAS server that is never called, through which the owner has signed in."""
    draft = ProviderDraft(name="CAS", settings={"server_url": "https://cas.example.org/cas/"})
    row = add_provider(tenant_of(people), code="cas", kind="cas", draft=draft, by=people.admin)
    switch_provider(row, is_on=True, by=people.admin)
    link_identity(people.owner, provider=row, subject="mei", by=people.owner)
    link_identity(people.colleague, provider=row, subject="lin", by=people.colleague)
    return row.code


def _directory(people: People) -> object:
    """Make an LDAP directory that is never reached: nobody listens on this port of this machine."""
    settings = {
        "servers": ["ldap://127.0.0.1:3269"],
        "security": "none",
        "user_base": "ou=people,dc=test",
        "groups": "none",
    }
    draft = ProviderDraft(name="Directory", settings=settings)
    return add_provider(tenant_of(people), code="ldap", kind="ldap", draft=draft, by=people.admin).pk


def tenant_of(people: People) -> Tenant:
    assert people.owner.tenant is not None
    return people.owner.tenant


def _file(name: str, text: str) -> Callable[[People], object]:
    def write(_: People) -> object:
        path = Path(settings.PORTAL.data_dir) / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def _change(people: People) -> object:
    wanted = {"ip_logging": Wanted("none", 0)}
    return set_parameters(wanted, reason="It is so.", by=people.admin, tenant=people.admin.tenant)[0].pk


THINGS: dict[str, Thing] = {
    "conversation": Thing(Reach.ORGANISATION, _conversation),
    "user": Thing(Reach.ORGANISATION, lambda people: people.colleague.pk),
    "invited": Thing(Reach.INSTALLATION, lambda people: people.colleague.pk),
    "invitation": Thing(Reach.INSTALLATION, lambda _: "0" * 64, lambda: "1" * 64),
    "token": Thing(Reach.ORGANISATION, lambda people: _token(people.owner)),
    "colleague_token": Thing(Reach.ORGANISATION, lambda people: _token(people.colleague)),
    "import": Thing(Reach.ORGANISATION, _import),
    "tenant": Thing(Reach.INSTALLATION, lambda people: people.owner.tenant_id),
    "key": Thing(Reach.INSTALLATION, lambda _: uuid.uuid4()),
    "session": Thing(Reach.ORGANISATION, _session),
    "artifact": Thing(Reach.INSTALLATION, _artifact),
    "change": Thing(Reach.ORGANISATION, _change),
    "rules": Thing(Reach.ORGANISATION, _rules),
    "rule": Thing(Reach.ORGANISATION, lambda _: policy_support.PAY["code"], lambda: "NORTH-99"),
    "built_in_rule": Thing(Reach.EACH, lambda _: "PII-ID-01", lambda: "PII-XX-01"),
    "language": Thing(Reach.EACH, lambda _: "en", lambda: "xx"),
    "notice_version": Thing(Reach.EACH, lambda _: 1, lambda: 999_999),
    "question": Thing(Reach.ORGANISATION, _said_by(Author.PERSON)),
    "answer": Thing(Reach.ORGANISATION, _said_by(Author.MODEL)),
    "turn": Thing(Reach.ORGANISATION, lambda _: uuid.uuid4()),
    "code": Thing(Reach.ORGANISATION, lambda people: tenant_code(people.owner), lambda: "nowhere"),
    "handle": Thing(Reach.ORGANISATION, lambda people: people.colleague.handle, lambda: "north/nobody"),
    "revision": Thing(Reach.INSTALLATION, lambda _: "r1", lambda: "r99"),
    "people_file": Thing(Reach.INSTALLATION, _file("people.csv", "login,name\nnew,New\n")),
    "words_file": Thing(Reach.INSTALLATION, _file("words.txt", "salary\n")),
    "corpus_file": Thing(
        Reach.INSTALLATION, _file("corpus.jsonl", '{"text": "salary", "label": "secret"}\n')
    ),
    "organisation": Thing(Reach.INSTALLATION, lambda people: tenant_code(people.owner), lambda: "nowhere"),
    "way_in": Thing(Reach.INSTALLATION, _way_in, lambda: "none"),
    "provider": Thing(Reach.ORGANISATION, lambda people: list_providers(tenant_of(people))[0].pk),
    "directory": Thing(Reach.ORGANISATION, _directory),
    "kind": Thing(Reach.INSTALLATION, lambda _: "ldap", lambda: "nothing"),
    "identity": Thing(Reach.ORGANISATION, lambda people: identities_of(people.owner)[0].pk),
    "colleague_identity": Thing(Reach.ORGANISATION, lambda people: identities_of(people.colleague)[0].pk),
    "event": Thing(Reach.EACH, lambda _: 1, lambda: 999_999),
}


def make_things(people: People) -> dict[str, str]:
    """Return what stands in the address for each kind of thing."""
    return {name: str(thing.make(people)) for name, thing in THINGS.items()}


def missing_things() -> dict[str, str]:
    """Return what would stand there for things that nobody has."""
    return {name: str(thing.missing()) for name, thing in THINGS.items()}
