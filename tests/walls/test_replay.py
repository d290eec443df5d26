"""No id of one organisation opens anything for another, nor one person's anything for another person.

An id of each kind of thing that `north` has is tried in every part of an address and in every parameter that a view
reads, by everybody who may use the address at home: its answer must be the very one that an id of nothing gets. What
is tried follows from the URLconf, the models and what the views read, so a new one is tried without a line here.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.urls.converters import UUIDConverter

from accounts.linking import identities_of
from accounts.token_models import ApiToken
from tenants.scope import tenant_scope
from tests.walls.rows import every_id, owned_models, snapshot
from tests.walls.stage import FORM, FORMS, Stage, shown
from tests.walls.table import HERE, OUTSIDE, ROWS, WORDS, Row, every_address

PARTS = {address.name: address.parts for address in every_address()}
BY_ID = [row for row in ROWS if any(isinstance(part, UUIDConverter) for part in PARTS[row.name].values())]
# Written for whoever asks, whatever they ask: a session, and the trace of the refusal in their own chain.
OWN_TRACES = ("audit_auditevent", "audit_auditchain", "django_session")

# Parameters that are no ids: where to go next (test_attacks), and texts that rules are tried on.
NO_IDS = {"csrfmiddlewaretoken", "next", "text"}


def strangers(row: Row) -> list[str]:
    """Return who may use an address at home and has no business with the things of `north`, or of their owner."""
    named = {name for word in row.words for name in WORDS[word.partition("=")[0]]}
    personal = any(word.startswith("owner=") for word in row.words)
    if "outside_auditor" in named and "outside_member" in named:
        return ["outside_member"]  # whoever is signed in; what they may do there is the same for all
    found = [name for name in OUTSIDE if name in named or (personal and name == "outside_member")]
    return found + (["colleague", "admin"] if personal else [])


def test_every_kind_of_thing_is_tried(stage: Stage) -> None:
    ids = every_id(stage.people)
    assert {model._meta.label for model in owned_models()} <= ids.keys()
    assert len(set(ids.values())) > 12


@pytest.mark.parametrize("row", BY_ID, ids=str)
def test_an_address_with_an_id_has_somebody_to_try_it(row: Row) -> None:
    """Or else is an operator's, who belongs to no organisation."""
    assert strangers(row) or {word.partition("=")[0] for word in row.words} == {"operator"}


def test_an_id_in_an_address_is_like_one_that_nobody_has(stage: Stage) -> None:
    wrong = []
    ids = {value: kind for kind, value in every_id(stage.people).items() if is_uuid(value)}
    tenant_id = stage.people.colleague.tenant_id
    assert tenant_id is not None
    with tenant_scope(tenant_id):
        theirs = [
            *ApiToken.objects.filter(account=stage.people.colleague),
            *identities_of(stage.people.colleague),
        ]
    own = {("colleague", str(each.pk)) for each in theirs}
    for row in BY_ID:
        for who in strangers(row):
            none = seen(stage, row, who, str(uuid.uuid4()))
            wrong += [
                f"{row} by {who} with {ids[each]}"
                for each in ids
                if (who, each) not in own and seen(stage, row, who, each) != none
            ]
    assert not wrong, "\n".join(wrong)


def test_an_id_in_a_parameter_is_like_one_that_nobody_has(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, reads = [], parameters(stage, monkeypatch)
    ids = {value: kind for kind, value in every_id(stage.people).items() if is_uuid(value)}
    tried = [
        (row, who, name)
        for row in ROWS
        for who in strangers(row)
        for name in sorted(reads[str(row)] - NO_IDS)
    ]
    for row, who, name in tried:
        none, is_looked_up = seen_with(stage, row, who, {name: str(uuid.uuid4())})
        # Some pages draw a secret or a challenge anew each time: of those the status tells, and what is written.
        shows = 4 if seen_with(stage, row, who, {name: str(uuid.uuid4())})[0] == none else 1
        # What is not looked up opens nothing; a few are tried all the same, for what is kept elsewhere.
        wrong += [
            f"{row} by {who} with {ids[value]} as {name}"
            for value in (ids if is_looked_up else list(ids)[:2])
            if seen_with(stage, row, who, {name: value})[0][:shows] != none[:shows]
        ]
    assert not wrong, "\n".join(wrong)
    assert {"before", "artifact", "against"} <= {name for names in reads.values() for name in names}


def test_nothing_of_the_organisation_is_changed(stage: Stage) -> None:
    """Without taking anything back: what strangers send stays sent."""
    ids = {kind: value for kind, value in every_id(stage.people).items() if is_uuid(value)}
    assert stage.browsers  # signing in leaves its own traces
    before = snapshot(stage.people)
    for row in (row for row in BY_ID if row.method == "POST"):
        for who in strangers(row):
            if who in OUTSIDE:
                for value in ids.values():
                    stage.browsers[who].post(filled(row, stage, value), form_of(row))
    after = snapshot(stage.people)
    assert [label for label in before if before[label] != after[label]] == []


def parameters(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Return which parameters each address reads, found by letting those who may use it ask."""
    read: set[str] = set()

    def watched(method: str) -> Any:
        original = getattr(QueryDict, method)

        def look(self: QueryDict, key: Any, *more: Any, **named: Any) -> Any:
            read.add(str(key))
            return original(self, key, *more, **named)

        return look

    found = {}
    with monkeypatch.context() as patch:
        for method in ("__getitem__", "__contains__", "get", "getlist", "pop"):
            patch.setattr(QueryDict, method, watched(method))
        for row in ROWS:
            read.clear()
            for who in (who for who in ("owner", *HERE[2:]) if who in row.allowed):
                stage.ask(row, who)
            found[str(row)] = read - FORM.keys()
    return found


def seen(stage: Stage, row: Row, who: str, value: str) -> Any:
    """Return what somebody gets to see at an address with the id in it, the id apart."""
    with connection.execute_wrapper(Watch(value)):
        return looks(stage.send(who, row.method, filled(row, stage, value), form_of(row)), value)


def seen_with(stage: Stage, row: Row, who: str, parameter: dict[str, str]) -> tuple[Any, bool]:
    """Return what somebody gets to see with the id in a parameter, the id apart, and whether it was looked up."""
    (value,) = parameter.values()
    with connection.execute_wrapper(watch := Watch(value)):
        path = row.path.format(**stage.missing)
        response = stage.send(who, row.method, path, form_of(row) | parameter)
    return looks(response, value), watch.is_looked_up


def looks(response: Any, value: str) -> Any:
    messages = response.cookies.get("messages")
    return (
        response.status_code,
        shown(response, without=value),
        response.headers.get("Location", "").replace(value, ""),
        messages.value.replace(value, "") if messages else "",
    )


class Watch:
    """Look for an id in statements; fail where one writes a row of it, or to it."""

    def __init__(self, value: str) -> None:
        self._keys = {value, value.replace("-", "")}
        self.is_looked_up = False

    def __call__(self, run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Handle one statement."""
        if self._keys & {str(each) for each in (params or ()) if isinstance(each, str | uuid.UUID)}:
            self.is_looked_up = True
            is_write = sql.startswith(("INSERT", "UPDATE", "DELETE"))
            assert not is_write or any(table in sql for table in OWN_TRACES), sql
        return run(sql, params, many, context)


def filled(row: Row, stage: Stage, value: str) -> str:
    """Return the address with the id in each of its parts that takes one."""
    return row.path.format(
        **stage.things | {name: value for name in row.things if is_uuid(stage.things[name])}
    )


def form_of(row: Row) -> dict[str, str]:
    return FORM | FORMS.get(row.name, {})


def is_uuid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return len(value) == 36
