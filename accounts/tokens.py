"""Give people tokens for the API, and take them back.

A token is its person's: it can do nothing that they cannot, and nothing at all while the person may not come in. An
organisation can forbid tokens; those that exist are refused from that moment on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from accounts.acting import recorded
from accounts.errors import TokensForbidden, TooManyTokens
from accounts.models import User
from accounts.names import plain_name
from accounts.roles import ACCOUNT_MANAGE, API_USE
from accounts.token_models import ApiScope, ApiToken
from accounts.token_text import digest_of, make_token
from common import clock
from common.access import PermissionMissing
from common.errors import NotFound
from tenants.parameters import ApiTokens
from tenants.scope import tenant_scope
from tenants.values import tenant_values

MAX_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Given:
    """A new token; `text` is shown once and kept nowhere."""

    token: ApiToken
    text: str


def are_allowed(tenant_id: UUID) -> bool:
    """Return whether an organisation lets its people use tokens."""
    return tenant_values(tenant_id).text("api_tokens") == ApiTokens.ALLOWED


def create_token(account: User, *, name: str, scopes: Sequence[str], days: int) -> Given:
    """Give a person a token for so many days.

    Raises PermissionMissing, TokensForbidden, TooManyTokens, and ValidationError for a name, a scope or a life that
    cannot be.
    """
    tenant_id = account.tenant_id
    if tenant_id is None or not account.has_permission(API_USE):
        raise PermissionMissing(API_USE)
    text = make_token(tenant_id)
    token = ApiToken(
        tenant_id=tenant_id,
        account=account,
        name=plain_name(name),
        lookup=text.lookup,
        digest=digest_of(text),
        scopes=_checked_scopes(scopes),
        expires_at=clock.now() + timedelta(days=_checked_days(days)),
    )
    token.clean_fields(exclude=["account", "digest", "lookup", "tenant"])
    with tenant_scope(tenant_id), _recorded("token.create", token, by=account):
        User.objects.select_for_update(of=("self",)).get(pk=account.pk)
        if not are_allowed(tenant_id):
            raise TokensForbidden
        if sum(one.is_valid for one in list_tokens(account)) >= MAX_TOKENS:
            raise TooManyTokens
        token.save(force_insert=True)
    return Given(token, text.text)


def revoke_token(token_id: UUID, *, by: User) -> ApiToken:
    """End a token: one's own, or as an administrator that of somebody in the own organisation.

    A second time changes nothing. Raises NotFound for any other, existing or not.
    """
    if by.tenant_id is None:
        raise NotFound
    with tenant_scope(by.tenant_id):
        token: ApiToken | None = ApiToken.objects.filter(pk=token_id).first()
        if token is None or not (token.account_id == by.pk or by.has_permission(ACCOUNT_MANAGE)):
            raise NotFound
        if token.revoked_at is None:
            with _recorded("token.revoke", token, by=by):
                ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now())
    return token


def end_tokens(account: User) -> None:
    """End all tokens of an account, in the caller's transaction: it is shut out, or becomes somebody else's to use."""
    if account.tenant_id is None:
        return
    with tenant_scope(account.tenant_id):
        ApiToken.objects.filter(account=account, revoked_at=None).update(revoked_at=clock.now())


def list_tokens(account: User) -> list[ApiToken]:
    """Return a person's tokens, the newest first; those that are over are among them for a while."""
    if account.tenant_id is None:
        return []
    with tenant_scope(account.tenant_id):
        return list(ApiToken.objects.filter(account=account))


def _recorded(action: str, token: ApiToken, *, by: User) -> AbstractContextManager[None]:
    return recorded(action, by=by.pk, chain=token.tenant_id, object_type="token", object_id=token.pk)


def _checked_scopes(scopes: Sequence[str]) -> list[str]:
    if not scopes or not set(scopes) <= set(ApiScope.values):
        raise ValidationError({"scopes": gettext("Choose what the token may be used for.")})
    return sorted(set(scopes))


def _checked_days(days: int) -> int:
    if not 1 <= days <= settings.PORTAL.token_days:
        said = gettext("A token lives from 1 to %(days)d days.") % {"days": settings.PORTAL.token_days}
        raise ValidationError({"days": said})
    return days
