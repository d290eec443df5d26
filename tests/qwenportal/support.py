"""Walk every address of the portal as every person of the cast."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User

EVERYBODY = (
    "anonymous", "member", "colleague", "admin", "officer", "auditor", "operator", "outsider", "outside_auditor",
)  # fmt: skip

# Name of the address, method, path, and the status that each of EVERYBODY gets, in that order. 302 is a redirect: of
# anonymous people to sign-in, of others as the page goes. `{id}` is the member's conversation, `{model}` an artefact
# that another operator has submitted; member, colleague and outsider have accepted their notices.
TABLE = """
healthz              GET   /healthz                  200 200 200 200 200 200 200 200 200
healthz              POST  /healthz                  405 405 405 405 405 405 405 405 405
readyz               GET   /readyz                   503 503 503 503 503 503 503 503 503
account_login        GET   /accounts/login/          200 302 302 302 302 302 302 302 302
account_login        POST  /accounts/login/          200 302 302 302 302 302 302 302 302
account_logout       GET   /accounts/logout/         405 405 405 405 405 405 405 405 405
account_logout       POST  /accounts/logout/         302 302 302 302 302 302 302 302 302
account_signup       GET   /accounts/signup/         404 404 404 404 404 404 404 404 404
account_signup       POST  /accounts/signup/         404 404 404 404 404 404 404 404 404
set_language         GET   /i18n/setlang/            302 302 302 302 302 302 302 302 302
set_language         POST  /i18n/setlang/            302 302 302 302 302 302 302 302 302
consent:gate         GET   /consent/                 302 200 200 404 404 404 404 200 404
consent:gate         POST  /consent/                 302 302 302 404 404 404 404 302 404
consent:withdraw     GET   /consent/withdraw/        302 405 405 405 405 405 405 405 405
consent:withdraw     POST  /consent/withdraw/        302 302 302 404 404 404 404 302 404
consent:declined     GET   /consent/declined/        200 200 200 200 200 200 200 200 200
consent:notice       GET   /consent/notice/1/        302 200 200 404 404 404 404 200 404
audit:log            GET   /audit/                   302 404 404 404 404 200 404 404 200
audit:event          GET   /audit/1/                 302 404 404 404 404 200 404 404 200
audit:verify         GET   /audit/verify/            302 405 405 405 405 405 405 405 405
audit:verify         POST  /audit/verify/            302 404 404 404 404 302 404 404 302
console:dashboard    GET   /console/                 302 404 404 200 404 404 404 404 404
console:policy       GET   /console/policy/          302 404 404 404 200 404 404 404 404
console:policy_rule  GET   /console/policy/rules/PII-ID-01/ 302 404 404 404 200 404 404 404 404
console:policy_bench GET   /console/policy/bench/    302 405 405 405 405 405 405 405 405
console:policy_bench POST  /console/policy/bench/    302 404 404 404 200 404 404 404 404
console:policy_new GET /console/policy/new/ 302 404 404 404 200 404 404 404 404
console:policy_save GET /console/policy/save/ 302 405 405 405 405 405 405 405 405
console:policy_save POST /console/policy/save/ 302 404 404 404 400 404 404 404 404
console:policy_remove GET /console/policy/rules/NORTH-01/remove/ 302 405 405 405 405 405 405 405 405
console:policy_remove POST /console/policy/rules/NORTH-01/remove/ 302 404 404 404 302 404 404 404 404
console:policy_words GET /console/policy/rules/NORTH-01/words/ 302 404 404 404 200 404 404 404 404
console:policy_words POST /console/policy/rules/NORTH-01/words/ 302 404 404 404 400 404 404 404 404
console:policy_history GET /console/policy/versions/ 302 404 404 404 200 404 404 404 404
console:policy_version GET /console/policy/versions/{rules}/ 302 404 404 404 200 404 404 404 404
console:policy_try GET /console/policy/versions/{rules}/try/ 302 405 405 405 405 405 405 405 405
console:policy_try POST /console/policy/versions/{rules}/try/ 302 404 404 404 302 404 404 404 404
console:policy_submit GET /console/policy/versions/{rules}/submit/ 302 405 405 405 405 405 405 405 405
console:policy_submit POST /console/policy/versions/{rules}/submit/ 302 404 404 404 302 404 404 404 404
console:policy_discard GET /console/policy/versions/{rules}/discard/ 302 405 405 405 405 405 405 405 405
console:policy_discard POST /console/policy/versions/{rules}/discard/ 302 404 404 404 302 404 404 404 404
console:policy_reopen GET /console/policy/versions/{rules}/reopen/ 302 405 405 405 405 405 405 405 405
console:policy_reopen POST /console/policy/versions/{rules}/reopen/ 302 404 404 404 302 404 404 404 404
console:policy_approve GET /console/policy/versions/{rules}/approve/ 302 405 405 405 405 405 405 405 405
console:policy_approve POST /console/policy/versions/{rules}/approve/ 302 404 404 404 302 404 404 404 404
console:policy_reject GET /console/policy/versions/{rules}/reject/ 302 405 405 405 405 405 405 405 405
console:policy_reject POST /console/policy/versions/{rules}/reject/ 302 404 404 404 302 404 404 404 404
console:policy_publish GET /console/policy/versions/{rules}/publish/ 302 405 405 405 405 405 405 405 405
console:policy_publish POST /console/policy/versions/{rules}/publish/ 302 404 404 404 302 404 404 404 404
console:policy_rollback GET /console/policy/versions/{rules}/rollback/ 302 405 405 405 405 405 405 405 405
console:policy_rollback POST /console/policy/versions/{rules}/rollback/ 302 404 404 404 302 404 404 404 404
console:installation GET   /console/installation/    302 404 404 404 404 404 200 404 404
console:models         GET   /console/models/                 302 404 404 200 200 404 200 404 404
console:models_live    GET   /console/models/live/            302 404 404 200 200 404 200 404 404
console:model          GET   /console/models/{model}/         302 404 404 200 200 404 200 404 404
console:model_choose   GET   /console/models/choose/          302 405 405 405 405 405 405 405 405
console:model_choose   POST  /console/models/choose/          302 404 404 302 404 404 404 404 404
console:model_rollback GET   /console/models/rollback/        302 404 404 404 404 404 200 404 404
console:model_rollback POST  /console/models/rollback/        302 404 404 404 404 404 400 404 404
console:model_evaluate GET   /console/models/{model}/evaluate/ 302 405 405 405 405 405 405 405 405
console:model_evaluate POST  /console/models/{model}/evaluate/ 302 404 404 404 404 404 302 404 404
console:model_stop     GET   /console/models/{model}/stop/    302 405 405 405 405 405 405 405 405
console:model_stop     POST  /console/models/{model}/stop/    302 404 404 404 404 404 302 404 404
console:model_submit   GET   /console/models/{model}/submit/  302 405 405 405 405 405 405 405 405
console:model_submit   POST  /console/models/{model}/submit/  302 404 404 404 404 404 302 404 404
console:model_approve  GET   /console/models/{model}/approve/ 302 405 405 405 405 405 405 405 405
console:model_approve  POST  /console/models/{model}/approve/ 302 404 404 404 302 404 302 404 404
console:model_reject   GET   /console/models/{model}/reject/  302 405 405 405 405 405 405 405 405
console:model_reject   POST  /console/models/{model}/reject/  302 404 404 404 302 404 302 404 404
console:model_activate GET   /console/models/{model}/activate/ 302 405 405 405 405 405 405 405 405
console:model_activate POST  /console/models/{model}/activate/ 302 404 404 404 404 404 302 404 404
console:model_retire   GET   /console/models/{model}/retire/  302 404 404 404 404 404 200 404 404
console:model_retire   POST  /console/models/{model}/retire/  302 404 404 404 404 404 400 404 404
chat:home            GET   /                         302 200 200 302 302 302 302 200 302
chat:home            POST  /                         302 405 405 405 405 405 405 405 405
chat:privacy         GET   /privacy/                 302 200 200 404 404 404 404 200 404
chat:clear           GET   /c/clear/                 302 405 405 405 405 405 405 405 405
chat:clear           POST  /c/clear/                 302 302 302 404 404 404 404 302 404
chat:conversation    GET   /c/{id}/                  302 200 404 404 404 404 404 404 404
chat:rename          GET   /c/{id}/rename/           302 405 405 405 405 405 405 405 405
chat:rename          POST  /c/{id}/rename/           302 302 404 404 404 404 404 404 404
chat:delete          GET   /c/{id}/delete/           302 405 405 405 405 405 405 405 405
chat:delete          POST  /c/{id}/delete/           302 302 404 404 404 404 404 404 404
"""
FORM = {
    "decision": "agree",
    "stage": "input",
    "title": "Renamed",
    "confirm": "delete",
    "language": "en",
    "reason": "It is so.",
}
# The artefact that waits for a second person; `{model}` in the table.
MODEL = uuid.UUID("00000000-0000-4000-8000-000000000001")
# The draft of rules of the cast's first organisation; `{rules}` in the table.
RULES = uuid.UUID("00000000-0000-4000-8000-000000000002")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    method: str
    path: str
    statuses: dict[str, int]

    def ask(self, client: Client, **values: object) -> Any:
        """Send the request and return the response."""
        path = self.path.format(model=MODEL, rules=RULES, **values)
        return client.get(path) if self.method == "GET" else client.post(path, FORM)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def read_table() -> list[Row]:
    rows = []
    for line in TABLE.strip().splitlines():
        name, method, path, *statuses = line.split()
        rows.append(Row(name, method, path, dict(zip(EVERYBODY, map(int, statuses), strict=True))))
    return rows


ROWS = read_table()


def every_name() -> set[str]:
    """Return the name of every address that the resolver knows."""
    return set(_names(get_resolver().url_patterns, prefix=""))


def _names(patterns: list[URLPattern | URLResolver], *, prefix: str) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            assert pattern.name, f"{pattern} has no name, so no row can stand for it"
            yield f"{prefix}{pattern.name}"
        else:
            name_space = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from _names(pattern.url_patterns, prefix=name_space)


def browser(person: User | None) -> Client:
    """Return the browser of a person, or of nobody."""
    client = Client(headers={"accept-language": "en"}, raise_request_exception=False)
    if person is not None:
        client.force_login(person)
    return client
