"""Ids in addresses are UUIDs: nobody counts through what others have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import UUIDConverter

# Addresses with parts that are no ids: a place in the own chain, a version or language of the own notice, a code of the
# own rules, an organisation's code and a kind of provider, the secret of an invitation, and what people type or
# providers are told before anybody has signed in. Ids that stand beside them are UUIDs all the same.
NO_IDS = {
    "audit:event",
    "consent:notice",
    "console:policy_rule",
    "console:policy_remove",
    "console:policy_words",
    "organisation_door",
    "sso_start",
    "sso_callback",
    "sso_logout",
    "sso_frame",
    "sso_left",
    "account_invited",
    "console:notice_preview",
    "console:notice_version",
    "console:identity",
    "console:identity_list",
    "console:identity_add",
    "console:identity_switch",
    "console:identity_delete",
    "console:identity_test",
}


def every_address() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the converters of every address that takes a part."""
    yield from _walk(get_resolver().url_patterns, name="", converters={})


def _walk(
    patterns: list[Any], *, name: str, converters: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in patterns:
        parts = converters | dict(each.pattern.converters)
        if isinstance(each, URLResolver):
            space = f"{name}{each.namespace}:" if each.namespace else name
            yield from _walk(each.url_patterns, name=space, converters=parts)
        elif isinstance(each, URLPattern) and parts:
            yield f"{name}{each.name}", parts


def test_ids_in_addresses_are_uuids() -> None:
    addresses = dict(every_address())
    counted = {
        name
        for name, parts in addresses.items()
        if not all(isinstance(part, UUIDConverter) for part in parts.values())
    }
    assert counted <= NO_IDS
    assert len(addresses.keys() - counted) > 10
