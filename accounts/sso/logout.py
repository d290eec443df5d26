"""End here what a provider has ended there: the sessions that began with it, and no others.

Everything works in the scope of the provider's organisation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.provider_models import Identity, IdentityProvider
from accounts.sessions import close_sessions
from accounts.sso.models import ProviderSession, SpentToken
from audit.services import record_event
from common import clock

SPENT_KEPT = timedelta(days=1)


def mark_of(text: str) -> str:
    """Return what is kept of a ticket or a session id: enough to know it again."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def spend(provider: IdentityProvider, text: str) -> bool:
    """Return whether a ticket or token is used for the first time; from now on it is not."""
    SpentToken.objects.filter(provider=provider, until__lt=clock.now()).delete()
    spent = SpentToken(
        tenant=provider.tenant, provider=provider, mark=mark_of(text), until=clock.now() + SPENT_KEPT
    )
    try:
        with transaction.atomic():
            spent.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def remember_session(provider: IdentityProvider, account: User, *, session_key: str, mark: str) -> None:
    """Keep that a session began at a provider; rows of sessions that are too old to exist go."""
    oldest = clock.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    ProviderSession.objects.filter(began_at__lt=oldest).delete()
    ProviderSession(
        tenant=provider.tenant, provider=provider, account=account, session_key=session_key, mark=mark
    ).save(force_insert=True)


def end_by_mark(provider: IdentityProvider, *texts: str) -> int:
    """End the sessions that the provider names by these tickets or ids; return how many there were."""
    marks = [mark_of(text) for text in texts if text]
    return _end(provider, ProviderSession.objects.filter(provider=provider, mark__in=marks))


def end_by_subject(provider: IdentityProvider, subject: str) -> int:
    """End all sessions that a person began at this provider; return how many there were."""
    identity = Identity.objects.filter(provider=provider, subject=subject).first()
    if identity is None:
        return 0
    return _end(provider, ProviderSession.objects.filter(provider=provider, account=identity.account_id))


def _end(provider: IdentityProvider, rows: Iterable[ProviderSession]) -> int:
    found = list(rows)
    with transaction.atomic():
        close_sessions(UUID(row.session_key) for row in found)
        ProviderSession.objects.filter(pk__in=[row.pk for row in found]).delete()
        for account_id in {row.account_id for row in found}:
            record_event(
                action="auth.provider_logout",
                tenant_id=provider.tenant_id,
                actor=account_id,
                object_type="provider",
                object_id=str(provider.id),
                status=200,
            )
    return len(found)
