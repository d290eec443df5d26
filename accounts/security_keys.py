"""Register security keys and passkeys, and take their word (WebAuthn Level 2, through fido2).

What was asked of a browser is kept in its session, which is sealed, and holds for one answer.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.models import User
from accounts.second_factor import ISSUER, add_key

STATE = "security_key_asked"
MAX_ANSWER_CHARS = 20_000


def begin_adding(request: HttpRequest, account: User) -> dict[str, Any]:
    """Return what the browser is to ask of a new key."""
    options, state = _server(request).register_begin(
        PublicKeyCredentialUserEntity(
            name=account.handle, id=account.pk.bytes, display_name=account.display_name
        ),
        credentials=[credential for credential, _row in _credentials(account)],
        resident_key_requirement=ResidentKeyRequirement.DISCOURAGED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    request.session[STATE] = state
    return cast(dict[str, Any], dict(options))


def finish_adding(request: HttpRequest, account: User, *, answer: str, name: str) -> bool:
    """Add the key if its answer is right."""
    state, parsed = request.session.pop(STATE, None), _parse(answer)
    if state is None or parsed is None:
        return False
    try:
        _server(request).register_complete(state, parsed)
    except (ValueError, TypeError, KeyError):
        return False
    add_key(account, name=name, key_id=str(uuid.uuid4()), credential=parsed)
    return True


def begin_asking(request: HttpRequest, account: User) -> dict[str, Any] | None:
    """Return what the browser is to ask of one of the account's keys; None if it has none."""
    credentials = [credential for credential, _row in _credentials(account)]
    if not credentials:
        return None
    options, state = _server(request).authenticate_begin(
        credentials, user_verification=UserVerificationRequirement.PREFERRED
    )
    request.session[STATE] = state
    return cast(dict[str, Any], dict(options))


def use_key(request: HttpRequest, account: User, *, answer: str) -> Authenticator | None:
    """Return the key whose answer is right, or None; an answer holds once."""
    state, parsed = request.session.pop(STATE, None), _parse(answer)
    if state is None or parsed is None:
        return None
    known = _credentials(account)
    try:
        used = _server(request).authenticate_complete(state, [each for each, _row in known], parsed)
    except (ValueError, TypeError, KeyError):
        return None
    return next((row for each, row in known if each.credential_id == used.credential_id), None)


def _server(request: HttpRequest) -> Fido2Server:
    """Return the other side of the browser; keys are bound to the host that people type, and only from our pages."""
    host = request.get_host()
    entity = PublicKeyCredentialRpEntity(name=ISSUER, id=host.partition(":")[0])
    own = {*settings.PORTAL.origins, f"{request.scheme}://{host}"}
    return Fido2Server(entity, verify_origin=lambda origin: origin in own)


def _credentials(account: User) -> list[tuple[AttestedCredentialData, Authenticator]]:
    rows = Authenticator.objects.filter(user=account, type=Authenticator.Type.WEBAUTHN)
    found = []
    for row in rows:
        data = RegistrationResponse.from_dict(row.data["credential"]).response.attestation_object.auth_data
        if data.credential_data is not None:
            found.append((data.credential_data, row))
    return found


def _parse(answer: str) -> dict[str, Any] | None:
    if len(answer) > MAX_ANSWER_CHARS:
        return None
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
