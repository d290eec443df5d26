"""Tell who sends a request to the API, by its Authorization header and by nothing else.

Whoever cannot be let in is told the same, whatever the reason: no such token, over, revoked, forbidden by the
organisation, account or organisation disabled, a role without API, a password that must be changed first.
"""

from __future__ import annotations

import hmac
import threading
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from accounts.backends import may_sign_in
from accounts.duties import duty_of
from accounts.errors import ScopeMissing, TokenRefused, TooManyCalls
from accounts.lockout import request_ip
from accounts.models import User
from accounts.roles import API_USE
from accounts.token_models import ApiScope, ApiToken
from accounts.token_text import TokenText, digest_of, read_token
from accounts.tokens import are_allowed
from audit.services import record_event
from common import clock
from crypto.errors import KeyDestroyed
from tenants.scope import tenant_scope

SCHEME = "Bearer "
WAIT_MS = 60_000
# So many requests a minute without a valid token, from one address: then nothing of it is looked at any more.
STRANGER_CALLS = RateLimitItemPerMinute(30)
REFUSALS_RECORDED = RateLimitItemPerMinute(1)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what their token lets them do."""

    account: User
    token: ApiToken


class _Limits:
    """Count calls in this process's memory: what it costs to refuse must stay less than what it saves."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._calls = MovingWindowRateLimiter(self._storage)
        self._strangers = FixedWindowRateLimiter(self._storage)
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Begin anew, for tests."""
        self._storage.reset()

    def require_known(self, address: str) -> None:
        """Raise TooManyCalls where too many strangers called from there."""
        if not self._strangers.test(STRANGER_CALLS, "api.stranger", address):
            raise TooManyCalls(retry_after_ms=WAIT_MS)

    def count_stranger(self, address: str) -> None:
        """Count a call without a valid token."""
        self._strangers.hit(STRANGER_CALLS, "api.stranger", address)

    def count_call(self, token: ApiToken) -> None:
        """Count a call. Raises TooManyCalls."""
        per_minute = RateLimitItemPerMinute(settings.PORTAL.api_per_minute)
        with self._lock:
            is_within = self._calls.hit(per_minute, "api.call", str(token.account_id))
        if not is_within:
            raise TooManyCalls(retry_after_ms=WAIT_MS)

    def is_to_record(self, token: ApiToken) -> bool:
        """Return whether a refusal of this token is recorded: once a minute, so that nobody can fill the chain."""
        return self._strangers.hit(REFUSALS_RECORDED, "api.refused", str(token.pk))


api_limits = _Limits()


@sensitive_variables("text")
def caller_of(request: HttpRequest, *, scope: ApiScope) -> Caller:
    """Return who calls. Raises TokenRefused, ScopeMissing and TooManyCalls."""
    address = request_ip(request) or ""
    api_limits.require_known(address)
    header = request.headers.get("Authorization", "")
    text = read_token(header.removeprefix(SCHEME)) if header.startswith(SCHEME) else None
    try:
        caller = _caller(text)
    except TokenRefused:
        api_limits.count_stranger(address)
        raise
    api_limits.count_call(caller.token)
    if scope not in caller.token.scopes:
        raise ScopeMissing
    return caller


@sensitive_variables()
def _caller(text: TokenText | None) -> Caller:
    if text is None:
        raise TokenRefused
    with tenant_scope(text.tenant_id):
        found = ApiToken.objects.select_related("account__tenant").filter(lookup=text.lookup)
        token: ApiToken | None = found.first()
        if token is None or not _is_same(token, text):
            raise TokenRefused
        if not token.is_valid or not _may_call(token.account):
            _record_refusal(token)
            raise TokenRefused
        _mark_used(token)
    return Caller(token.account, token)


def _is_same(token: ApiToken, text: TokenText) -> bool:
    try:
        return hmac.compare_digest(token.digest, digest_of(text))
    except KeyDestroyed:
        return False


def _may_call(account: User) -> bool:
    """Return whether the person may come in now, and use the API."""
    by_provider = not account.has_usable_password()
    is_let_in = may_sign_in(account) and duty_of(account, by_provider=by_provider) is None
    if not is_let_in or account.tenant_id is None or not account.has_permission(API_USE):
        return False
    return are_allowed(account.tenant_id)


def _mark_used(token: ApiToken) -> None:
    today = clock.now().date()
    if token.last_used_on != today:
        ApiToken.objects.filter(pk=token.pk).update(last_used_on=today)


def _record_refusal(token: ApiToken) -> None:
    if api_limits.is_to_record(token):
        record_event(
            action="token.refused",
            tenant_id=token.tenant_id,
            actor=token.account_id,
            object_type="token",
            object_id=str(token.pk),
            outcome="refused",
            status=401,
        )
