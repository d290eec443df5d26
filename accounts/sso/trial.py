"""Try a web provider step by step, so that whoever sets it up sees which one fails.

What is tried is what is stored. Nobody signs in: whether the client's secret is right shows at the first sign-in only.
A port that is closed, filtered or silent reads the same, so that this is no way to look around in a network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import requests

from accounts.acting import recorded
from accounts.models import User
from accounts.provider_models import IdentityProvider, ProviderKind
from accounts.providers import may_manage
from accounts.roles import IDENTITY_MANAGE
from accounts.sso.cas_protocol import CasRefused, ask_about_no_ticket
from accounts.sso.cas_settings import CasSettings
from accounts.sso.discovery import Metadata, ProviderFault, fetch_keys, fetch_metadata
from accounts.sso.oidc_settings import OidcSettings
from accounts.sso.outgoing import ProviderSession
from accounts.sso.tokens import ALGORITHMS
from common.access import PermissionMissing

StepName = Literal["discovery", "keys", "reach", "answer"]
State = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Step:
    """How one step went. `detail` is a fault's name, or what was found; `took_ms` in milliseconds."""

    name: StepName
    state: State
    detail: str = ""
    took_ms: int = 0


def try_out(provider: IdentityProvider, *, by: User) -> list[Step]:
    """Take the steps until one fails; recorded. Raises PermissionMissing for whoever does not manage the provider."""
    is_ours = by.tenant_id in (None, provider.tenant_id)
    with recorded(
        "identity.test",
        by=by.id,
        chain=provider.tenant_id if is_ours else by.tenant_id,
        object_type="provider",
        object_id=provider.pk if is_ours else None,
    ):
        if not may_manage(by, provider.tenant_id):
            raise PermissionMissing(IDENTITY_MANAGE)
    if provider.kind == ProviderKind.CAS:
        return _take(_cas_steps(CasSettings.of(provider.settings)))
    return _take(_oidc_steps(OidcSettings.of(provider.settings)))


Act = Callable[[], str]


def _oidc_steps(settings: OidcSettings) -> list[tuple[StepName, Act]]:
    found: list[Metadata] = []

    def discovery() -> str:
        found.append(fetch_metadata(settings))
        return found[0].issuer

    def keys() -> str:
        usable = [key for key in fetch_keys(settings, found[0]) if key.get("alg", "RS256") in ALGORITHMS]
        if not usable:
            raise ProviderFault("keys", "none")
        return str(len(usable))

    return [("discovery", discovery), ("keys", keys)]


def _cas_steps(settings: CasSettings) -> list[tuple[StepName, Act]]:
    def reach() -> str:
        with ProviderSession(ca_certificates=settings.ca_certificates) as session:
            session.get(f"{settings.server_url}p3/serviceValidate")
        return settings.server_url

    return [("reach", reach), ("answer", lambda: ask_about_no_ticket(settings))]


def _take(steps: list[tuple[StepName, Act]]) -> list[Step]:
    taken: list[Step] = []
    for name, act in steps:
        if taken and taken[-1].state != "ok":
            taken.append(Step(name, "skipped"))
            continue
        began = time.monotonic()
        state, detail = _try(act)
        taken.append(Step(name, state, detail, round((time.monotonic() - began) * 1000)))
    return taken


def _try(act: Act) -> tuple[State, str]:
    """Return how a step went; a fault is one of: unreachable, certificate, issuer, address, none, form."""
    try:
        return "ok", act()
    except ProviderFault as fault:
        return "failed", fault.kind
    except CasRefused as refused:
        return "failed", "unreachable" if refused.reason == "unreachable" else "form"
    except requests.exceptions.SSLError:
        return "failed", "certificate"
    except requests.RequestException:
        return "failed", "unreachable"


def is_good(steps: list[Step]) -> bool:
    """Return whether no step failed."""
    return all(step.state == "ok" for step in steps)
