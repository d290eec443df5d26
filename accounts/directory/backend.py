"""Let people in whose organisation's directory takes their password."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from django.http import HttpRequest

from accounts.arriving import receive
from accounts.backends import PortalBackend
from accounts.directory.asking import WITHIN_S, prove_person
from accounts.directory.failures import DirectoryUnavailable, WrongPassword
from accounts.errors import SignInRefused
from accounts.models import HANDLE_SEPARATOR, LOGIN_PATTERN, User
from accounts.provider_models import IdentityProvider, ProviderKind
from accounts.providers import enabled_providers
from tenants.models import Tenant

logger = logging.getLogger("portal.directory")

_LOGIN = re.compile(LOGIN_PATTERN)


class DirectoryBackend(PortalBackend):
    """The back end that is asked after the portal's own passwords: a local account is never a directory's to open.

    Whether the portal knows the name makes no difference to what it does: every directory of the organisation is asked
    until one takes the password. A name that no account can have is not passed on at all.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """Return the account, made at the first time, or None.

        Marks the request with `directory_is_down` where one could not be asked. Raises NotInAnyGroup,
        IdentityCollision and IdentityUnusable, after a right password only.
        """
        code, separator, login = str(credentials.get("username") or "").partition(HANDLE_SEPARATOR)
        password = str(credentials.get("password") or "")
        if not (separator and password and _LOGIN.match(login)):
            return None
        tenant = Tenant.objects.filter(code=code).first()
        providers = enabled_providers(tenant, ProviderKind.LDAP) if tenant else []
        return self._ask(request, providers, login=login, password=password)

    def _ask(
        self, request: HttpRequest | None, providers: list[IdentityProvider], *, login: str, password: str
    ) -> User | None:
        until = time.monotonic() + WITHIN_S
        for provider in providers:
            within_s = max(0.0, until - time.monotonic())
            try:
                arrival = prove_person(provider, name=login, password=password, within_s=within_s)
                return receive(provider, arrival)
            except WrongPassword:
                continue
            except SignInRefused:
                return None
            except DirectoryUnavailable as unavailable:
                logger.error("directory %s could not be asked: %s", provider.pk, unavailable.fault)
                if request is not None:
                    request.directory_is_down = True  # type: ignore[attr-defined]
        return None
