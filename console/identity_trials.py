"""Say in words how a trial of a directory went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.errors import NotInAnyGroup
from accounts.provider_models import IdentityProvider
from accounts.role_mapping import role_for_groups
from accounts.roles import Role
from accounts.sso import trial as sso_trial

if TYPE_CHECKING:
    from accounts.directory.trial import ServerTrial, Step

NAMES: dict[str, Promise] = {
    "resolve": _("Find the server"),
    "connect": _("Reach it"),
    "tls": _("Encrypt"),
    "bind": _("Sign in as the reader"),
    "search": _("Find people"),
    "groups": _("Find groups"),
    "discovery": _("Read what the provider publishes"),
    "keys": _("Read its keys"),
    "reach": _("Reach it"),
    "answer": _("Ask about a ticket"),
}
FAULTS: dict[str, Promise] = {
    "unreachable": _("The server cannot be reached."),
    "no_answer": _("The server did not answer within the time."),
    "tls": _(
        "Encryption failed: the server refuses it, or its certificate is not trusted or is another host's."
    ),
    "reader_refused": _("The directory refuses the reader's name or password."),
    "no_such_base": _("There is no such place in the directory."),
    "nobody": _("Nobody, or more than one person, was found by this name."),
    "refused": _("The directory refuses what was asked."),
    "certificate": _("Its certificate is not trusted, or is another host's."),
    "issuer": _("The provider calls itself by another name than the issuer that is set."),
    "address": _("An address that it publishes is missing, or the portal may not call it."),
    "none": _("It publishes no keys."),
    "form": _("What answers there is no such provider."),
}
TONES = {"ok": "ok", "failed": "danger", "skipped": "mute"}
STATES: dict[str, Promise] = {"ok": _("Good"), "failed": _("Failed"), "skipped": _("Not tried")}


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One row of the table."""

    name: str
    tone: str
    state: str
    detail: str
    took_ms: int


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """One server: its steps, and the role that the person would get, "" where nobody was looked for."""

    server: str
    steps: tuple[ShownStep, ...]
    groups: tuple[str, ...]
    role: str


def shown(provider: IdentityProvider, trials: list[ServerTrial]) -> list[ShownTrial]:
    """Return the trials in words."""
    return [
        ShownTrial(
            trial.server,
            tuple(map(_step, trial.steps)),
            tuple(group for group in trial.groups if "=" in group),
            _role(provider, trial),
        )
        for trial in trials
    ]


def shown_way(provider: IdentityProvider, steps: list[sso_trial.Step]) -> list[ShownTrial]:
    """Return the trial of a CAS server or OpenID provider in words."""
    server = provider.settings.get("issuer") or provider.settings.get("server_url", "")
    return [ShownTrial(str(server), tuple(map(_step, steps)), (), "")]


def _step(step: Step | sso_trial.Step) -> ShownStep:
    return ShownStep(
        str(NAMES[step.name]), TONES[step.state], str(STATES[step.state]), _detail(step), step.took_ms
    )


def _detail(step: Step | sso_trial.Step) -> str:
    if step.state == "failed":
        return str(FAULTS.get(step.detail, step.detail))
    if step.name == "groups" and step.detail:
        count = int(step.detail)
        return ngettext("%(count)d group", "%(count)d groups", count) % {"count": count}
    return step.detail


def _role(provider: IdentityProvider, trial: ServerTrial) -> str:
    steps = {step.name: step for step in trial.steps}
    if not trial.is_good or not steps["groups"].detail:
        return ""
    separation = provider.tenant.three_admin_separation
    try:
        role = role_for_groups(provider.mapping, trial.groups, three_admin_separation=separation)
    except NotInAnyGroup as error:
        return gettext(error.message)
    return str(Role(role).label)
