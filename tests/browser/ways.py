"""Give a portal's organisation its ways of signing in; run inside that portal by `manage.py shell`."""

from __future__ import annotations

from accounts.models import User
from accounts.providers import ProviderDraft, add_provider, switch_provider
from tests.accounts.provider_support import GROUPS, organisation_of

SECRET = "between the portal and the provider"


def open_ways(issuer: str, cas: str) -> None:
    """Add an OpenID provider and a CAS server to the demonstration."""
    admin = User.objects.get(handle="demo/admin")
    for code, kind, name, fields, secrets in (
        (
            "sso",
            "oidc",
            "House ID",
            {"issuer": issuer, "client_id": "portal", "front_channel_logout": True},
            SECRET,
        ),
        ("cas", "cas", "Campus", {"server_url": cas}, ""),
    ):
        draft = ProviderDraft(
            name=name,
            settings=fields,
            secrets={"client_secret": secrets} if secrets else {},
            role_mapping=GROUPS,
        )
        row = add_provider(organisation_of(admin), code=code, kind=kind, draft=draft, by=admin)
        switch_provider(row, is_on=True, by=admin)
