"""Answer the API's questions about oneself and the models."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from accounts.token_callers import Caller
from accounts.token_models import ApiScope
from chat.api import api_read
from registry.choosing import model_of, models_for
from registry.models import ModelArtifact


@api_read(ApiScope.PROFILE)
def me(_request: HttpRequest, caller: Caller) -> JsonResponse:
    """Return whose token this is, and what it may be used for."""
    account, tenant = caller.account, caller.account.tenant
    return JsonResponse(
        {
            "object": "account",
            "id": str(account.pk),
            "login": account.login_name,
            "name": account.display_name,
            "role": account.role,
            "organisation": {"code": tenant.code, "name": tenant.name} if tenant else None,
            "token": {
                "name": caller.token.name,
                "scopes": caller.token.scopes,
                "expires_at": int(caller.token.expires_at.timestamp()),
            },
        }
    )


@api_read(ApiScope.MODELS)
def models(_request: HttpRequest, caller: Caller) -> JsonResponse:
    """Return the models that the organisation may use, as OpenAI lists them; the one it uses stands first."""
    tenant_id = caller.token.tenant_id
    rows, used = models_for(tenant_id), model_of(tenant_id)
    rows.sort(key=lambda row: row != used)
    return JsonResponse({"object": "list", "data": [_show(row) for row in rows]})


def _show(row: ModelArtifact) -> dict[str, object]:
    at = row.activated_at or row.imported_at
    return {
        "id": f"{row.name}-{row.quantisation}@{row.label}",
        "object": "model",
        "created": int(at.timestamp()),
        "owned_by": "organisation",
        "context_window": row.context_tokens,
    }
