"""Say what the settings of each kind of provider may be: the one place where a kind is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.directory.settings import DirectorySettings
from accounts.directory.settings import clean_settings as clean_ldap
from accounts.provider_models import ProviderKind
from accounts.sso.cas_settings import CasSettings
from accounts.sso.cas_settings import clean_settings as clean_cas
from accounts.sso.oidc_settings import SECRETS as OIDC_SECRETS
from accounts.sso.oidc_settings import OidcSettings
from accounts.sso.oidc_settings import clean_settings as clean_oidc

MAX_SECRET_CHARS = 4096


@dataclass(frozen=True, slots=True)
class KindRules:
    """What a provider of one kind is configured with.

    `clean` returns the settings as they are stored, all of them, defaults filled in; it raises ValidationError by
    field, for an unknown name too. `secrets` are the names of what is sealed.
    """

    clean: Callable[[Mapping[str, Any]], dict[str, Any]]
    begun: Any
    secrets: tuple[str, ...] = ()

    @property
    def defaults(self) -> dict[str, Any]:
        """Return what a new provider of this kind begins with."""
        return asdict(self.begun)


RULES: dict[str, KindRules] = {
    ProviderKind.LDAP: KindRules(clean=clean_ldap, begun=DirectorySettings(), secrets=("bind_password",)),
    ProviderKind.CAS: KindRules(clean=clean_cas, begun=CasSettings()),
    ProviderKind.OIDC: KindRules(clean=clean_oidc, begun=OidcSettings(), secrets=OIDC_SECRETS),
}


def rules_of(kind: str) -> KindRules:
    """Return the rules of a kind. Raises ValidationError for one that this portal does not speak."""
    try:
        return RULES[kind]
    except KeyError:
        raise ValidationError(_("This portal knows no such kind of sign-in.")) from None


def clean_secrets(kind: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return secrets by name, without empty ones. Raises ValidationError for an unknown name or odd text."""
    known = rules_of(kind).secrets
    for name, value in given.items():
        if name not in known or len(value) > MAX_SECRET_CHARS or "\x00" in value:
            raise ValidationError(_("A secret is not one of this kind's, or is too long."))
    return {name: value for name, value in given.items() if value}
