"""Ask directories now and then whether the people who are signed in are still theirs, and sign out who is not.

Who is gone, disabled, or in no group any more is out within PORTAL_DIRECTORY_CHECK_MINUTES; another role holds from
then on. A directory that does not answer signs nobody out: else its failure would be everybody's. With a direct bind
there may be no account to read with; such a directory is asked at sign-in only.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.db.models import Q, QuerySet

from accounts.arriving import Arrival, mark_gone, set_role_by_groups, turn_away
from accounts.directory.asking import find_person
from accounts.directory.failures import DirectoryUnavailable
from accounts.errors import NotInAnyGroup
from accounts.provider_models import Identity, IdentityProvider, ProviderKind
from accounts.providers import enabled_providers
from accounts.role_mapping import role_for_groups
from accounts.token_models import ApiToken
from audit.models import Outcome
from audit.services import record_event
from common import clock
from common.errors import PortalError
from common.tracebacks import where
from tenants.models import Tenant
from tenants.scope import tenant_scope

logger = logging.getLogger("portal.directory")


@dataclass(slots=True)
class Recheck:
    """What came of asking: people who were asked about, those signed out, and directories that did not answer."""

    asked: int = 0
    silent: int = 0
    signed_out: list[UUID] = field(default_factory=list)


def recheck_everybody() -> Recheck:
    """Ask every directory about everybody who has come from it and may be signed in."""
    result = Recheck()
    for tenant in Tenant.objects.filter(is_active=True):
        for provider in enabled_providers(tenant, ProviderKind.LDAP):
            if provider.settings["bind"] == "search" or provider.settings["bind_dn"]:
                with tenant_scope(tenant.id):
                    _recheck(provider, result)
    return result


async def recheck_for_ever() -> None:
    """Ask every PORTAL_DIRECTORY_CHECK_MINUTES for as long as the server runs; 0 never asks."""
    pause_s = settings.PORTAL.directory_check_minutes * 60
    while pause_s:
        await asyncio.sleep(pause_s)
        # A thread of its own: the one that requests share must not wait for a directory.
        await sync_to_async(_recheck_safely, thread_sensitive=False)()


def _recheck_safely() -> None:
    try:
        recheck_everybody()
    except (DatabaseError, PortalError) as error:
        logger.error("directories could not be asked: %s", where(error))
    finally:
        connections.close_all()


def _recheck(provider: IdentityProvider, result: Recheck) -> None:
    for identity in _who_may_be_in(provider):
        try:
            arrival = find_person(provider, subject=identity.subject)
        except DirectoryUnavailable as unavailable:
            logger.error("directory %s could not be asked: %s", provider.pk, unavailable.fault)
            result.silent += 1
            return
        result.asked += 1
        if not _still_in(identity, arrival):
            result.signed_out.append(identity.account_id)


def _who_may_be_in(provider: IdentityProvider) -> QuerySet[Identity]:
    """Return who may have a session, none of which is older than its cookie lives, or has a token."""
    since = clock.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    with_token = ApiToken.objects.filter(revoked_at=None).values("account")
    may_be_in = Q(account__last_login__gte=since) | Q(account__in=with_token)
    rows = Identity.objects.filter(may_be_in, provider=provider, gone_at=None, account__is_active=True)
    return rows.select_related("provider__tenant", "account__tenant")


def _still_in(identity: Identity, arrival: Arrival | None) -> bool:
    """Return whether the person may stay; whoever may not is signed out, and it is recorded."""
    if arrival is None:
        _leave(identity)
        return False
    provider = identity.provider
    if not provider.mapping.gives_roles:
        return True
    separation = provider.tenant.three_admin_separation
    try:
        role = role_for_groups(provider.mapping, arrival.groups, three_admin_separation=separation)
    except NotInAnyGroup as error:
        turn_away(provider, subject=identity.subject, why=error)
        return False
    with transaction.atomic():
        set_role_by_groups(identity, role)
    return True


@transaction.atomic
def _leave(identity: Identity) -> None:
    mark_gone(identity)
    record_event(
        action="identity.leave",
        tenant_id=identity.tenant_id,
        actor=None,
        object_type="account",
        object_id=str(identity.account_id),
        outcome=Outcome.REFUSED,
        status=401,
    )
