"""Let those who keep a provider try it: allowed, counted, recorded."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING
from uuid import UUID

from accounts.directory.asking import try_provider
from accounts.directory.failures import DirectoryUnavailable
from accounts.errors import ChangeRefused
from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.providers import may_manage
from accounts.roles import IDENTITY_MANAGE
from audit.models import Outcome
from audit.services import record_event
from common.access import PermissionMissing
from common.errors import _

if TYPE_CHECKING:
    from accounts.directory.trial import ServerTrial

# Enough to set a directory up, too few to look around in a network.
MOST, PER_S = 20, 600.0
_tried: dict[UUID, deque[float]] = {}
_lock = threading.Lock()


class TooManyTrials(ChangeRefused):
    """An organisation's directories are tried too often."""

    code = "too_many_trials"
    http_status = 429
    message = _("This was tried too often in the last minutes. Please wait.")


class NotInstalled(ChangeRefused):
    """LDAP is not installed."""

    code = "ldap_not_installed"
    message = _("LDAP is not installed on this portal. An operator adds it with: make ldap")


class DirectorySilent(ChangeRefused):
    """Nothing came back within the time."""

    code = "directory_silent"
    http_status = 503
    message = _("The directory did not answer within the time.")


def try_out(provider: IdentityProvider, *, by: User, name: str = "") -> list[ServerTrial]:
    """Return how each step goes with each server of an LDAP provider; `name` may be a person's to look for.

    Raises PermissionMissing, TooManyTrials, NotInstalled and DirectorySilent.
    """
    if not may_manage(by, provider.tenant_id):
        raise PermissionMissing(IDENTITY_MANAGE)
    try:
        _count(provider.tenant_id)
        trials = try_provider(provider, name=name.strip().casefold())
    except TooManyTrials as error:
        _record(provider, by=by, outcome=Outcome.REFUSED, status=error.http_status)
        raise
    except DirectoryUnavailable as unavailable:
        _record(provider, by=by, outcome=Outcome.FAILED, status=503)
        raise (NotInstalled if unavailable.fault == "not_installed" else DirectorySilent) from None
    is_good = all(trial.is_good for trial in trials)
    _record(
        provider, by=by, outcome=Outcome.OK if is_good else Outcome.FAILED, status=200 if is_good else 502
    )
    return trials


def _count(tenant_id: UUID) -> None:
    now = time.monotonic()
    with _lock:
        tried = _tried.setdefault(tenant_id, deque())
        while tried and now - tried[0] > PER_S:
            tried.popleft()
        if len(tried) >= MOST:
            raise TooManyTrials
        tried.append(now)


def _record(provider: IdentityProvider, *, by: User, outcome: str, status: int) -> None:
    record_event(
        action="identity.test",
        tenant_id=provider.tenant_id,
        actor=by.id,
        object_type="provider",
        object_id=str(provider.id),
        outcome=outcome,
        status=status,
    )
