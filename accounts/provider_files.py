"""Keep providers in the installation's settings: PORTAL_IDENTITY, or the file that PORTAL_IDENTITY_FILE names.

It is TOML, one `[[provider]]` after the other. What stands there is taken over at the start and with `manage.py
identity sync`, and can only be looked at in the console. A provider that stands there no longer is switched off, not
deleted: its people's accounts hang on it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction

from accounts.provider_kinds import rules_of
from accounts.provider_models import IdentityProvider, Origin
from accounts.providers import ProviderDraft, fill, sign_out_people_of
from audit.services import record_event
from tenants.models import Tenant
from tenants.scope import tenant_scope

WORDS = {
    "organisation",
    "code",
    "kind",
    "name",
    "enabled",
    "position",
    "default_role",
    "settings",
    "secrets",
    "groups",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """One provider as the settings have it."""

    organisation: str
    code: str
    kind: str
    is_enabled: bool
    draft: ProviderDraft


@dataclass(slots=True)
class Synced:
    """What came of it: codes `organisation/code` that were changed, switched off, or name no organisation."""

    changed: list[str] = field(default_factory=list)
    switched_off: list[str] = field(default_factory=list)
    homeless: list[str] = field(default_factory=list)


def read_providers(text: str) -> list[Kept]:
    """Return the providers of a settings text. Raises ImproperlyConfigured, with one line that shows no value."""
    try:
        rows = tomllib.loads(text).get("provider", [])
    except tomllib.TOMLDecodeError as error:
        raise ImproperlyConfigured(
            f"PORTAL_IDENTITY is no TOML: {str(error).rpartition('(')[2].rstrip(')')}"
        ) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ImproperlyConfigured("PORTAL_IDENTITY must hold [[provider]] tables")
    kept = [_read(row) for row in rows]
    if len({(each.organisation, each.code) for each in kept}) < len(kept):
        raise ImproperlyConfigured("PORTAL_IDENTITY names a provider twice")
    return kept


def sync_providers(text: str) -> Synced:
    """Bring the database to what the settings say; nothing is written where nothing differs.

    Raises ImproperlyConfigured with one line that names provider and field.
    """
    kept, result = read_providers(text), Synced()
    tenants = {tenant.code: tenant for tenant in Tenant.objects.all()}
    for each in kept:
        if each.organisation not in tenants:
            result.homeless.append(f"{each.organisation}/{each.code}")
    for code, tenant in tenants.items():
        with tenant_scope(tenant.id), transaction.atomic():
            Tenant.objects.select_for_update().get(pk=tenant.pk)
            mine = {each.code: each for each in kept if each.organisation == code}
            _sync(tenant, mine, result)
    return result


def _sync(tenant: Tenant, mine: Mapping[str, Kept], result: Synced) -> None:
    rows = {row.code: row for row in IdentityProvider.objects.select_related("tenant")}
    for code, each in mine.items():
        row = rows.get(code)
        if row is not None and (row.origin, row.kind) != (Origin.SETTINGS, each.kind):
            place = f"{tenant.code}/{code}"
            raise ImproperlyConfigured(f"PORTAL_IDENTITY: {place} is kept in the console, or of another kind")
        if _put(
            row or IdentityProvider(tenant=tenant, code=code, kind=each.kind, origin=Origin.SETTINGS), each
        ):
            result.changed.append(f"{tenant.code}/{code}")
    for code, row in rows.items():
        if row.origin == Origin.SETTINGS and code not in mine and row.is_enabled:
            _switch_off(row)
            result.switched_off.append(f"{tenant.code}/{code}")


def _put(row: IdentityProvider, kept: Kept) -> bool:
    """Write a provider if it differs; return whether it did."""
    is_new, before = row._state.adding, _state(row)
    was_enabled = row.is_enabled and not is_new
    try:
        # What is not named is taken away, other than in a form, which does not show what there is.
        known = rules_of(row.kind).secrets
        fill(row, _with_all_secrets(kept.draft, known))
    except ValidationError as error:
        names = ", ".join(error.error_dict) if hasattr(error, "error_dict") else "secrets"
        raise ImproperlyConfigured(
            f"PORTAL_IDENTITY: {kept.organisation}/{kept.code} is not right at {names}"
        ) from None
    row.is_enabled = kept.is_enabled
    if not is_new and _state(row) == before:
        return False
    row.save(force_insert=is_new)
    if was_enabled and not row.is_enabled:
        sign_out_people_of(row)
    _record("identity.add" if is_new else "identity.change", row)
    return True


def _state(row: IdentityProvider) -> tuple[Any, ...]:
    return (
        row.name,
        row.settings,
        row.secrets(),
        row.role_mapping,
        row.default_role,
        row.position,
        row.is_enabled,
    )


def _with_all_secrets(draft: ProviderDraft, known: tuple[str, ...]) -> ProviderDraft:
    return ProviderDraft(
        name=draft.name,
        settings=draft.settings,
        secrets={**dict.fromkeys(known, ""), **draft.secrets},
        role_mapping=draft.role_mapping,
        default_role=draft.default_role,
        position=draft.position,
    )


def _switch_off(row: IdentityProvider) -> None:
    IdentityProvider.objects.filter(pk=row.pk).update(is_enabled=False)
    sign_out_people_of(row)
    _record("identity.disable", row)


def _record(action: str, row: IdentityProvider) -> None:
    record_event(
        action=action, tenant_id=row.tenant_id, actor=None, object_type="provider", object_id=str(row.id)
    )


def _read(row: Mapping[str, Any]) -> Kept:
    place = f"{row.get('organisation', '?')}/{row.get('code', '?')}"
    if unknown := sorted(set(row) - WORDS):
        raise ImproperlyConfigured(f"PORTAL_IDENTITY: {place} has no setting {unknown[0]}")
    position, is_enabled = row.get("position", 0), row.get("enabled", True)
    tables = [row.get(name, {}) for name in ("settings", "secrets", "groups")]
    if not (
        isinstance(position, int)
        and isinstance(is_enabled, bool)
        and all(isinstance(t, dict) for t in tables)
    ):
        raise ImproperlyConfigured(f"PORTAL_IDENTITY: {place} has a value of the wrong type")
    settings, secrets, groups = tables
    return Kept(
        organisation=str(row.get("organisation", "")),
        code=str(row.get("code", "")),
        kind=str(row.get("kind", "")),
        is_enabled=is_enabled,
        draft=ProviderDraft(
            name=str(row.get("name", "")),
            settings=settings,
            secrets=dict(_secret(place, name, str(value)) for name, value in secrets.items()),
            role_mapping=[{"group": group, "role": role} for group, role in groups.items()],
            default_role=str(row.get("default_role", "")),
            position=position,
        ),
    )


def _secret(place: str, name: str, value: str) -> tuple[str, str]:
    """Return a secret's name and text: as it stands, from a file (`NAME_file`), or from a variable (`NAME_env`)."""
    if name.endswith("_env"):
        return name.removesuffix("_env"), os.environ.get(value, "")
    if not name.endswith("_file"):
        return name, value
    try:
        return name.removesuffix("_file"), Path(value).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ImproperlyConfigured(f"PORTAL_IDENTITY: the file of {place} {name} cannot be read") from None
