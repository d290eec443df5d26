"""Keep second factors: codes of an app (TOTP, RFC 6238), security keys (WebAuthn), and recovery codes.

They stand in allauth's table, whose stage of signing in asks for them. The secret of an app is sealed for its account,
of a recovery code only a keyed digest is kept; of a key there is nothing to hide. A code opens once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.administration import act_on, write_account
from accounts.models import User
from audit.services import record_event
from crypto import envelope
from crypto.keyring import keyring
from crypto.models import Usage
from crypto.scope import PLATFORM
from crypto.services import derive_key

ISSUER = "Qwen Portal"
STEP_S, DIGITS, SECRET_BYTES = 30, 6, 20
# Clocks differ: the code before and the one after count, too (RFC 6238, 5.2).
TOLERANCE = 1
RECOVERY_CODES, RECOVERY_LENGTH = 10, 10
# No two of them look the same: 10 characters are 49 bits.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
Kind = Authenticator.Type


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor as its person sees it; `key_id` names a security key in addresses, "" for an app."""

    kind: str
    name: str
    key_id: str
    added_at: datetime
    used_at: datetime | None


def new_secret() -> str:
    """Return a random secret for an app, as people type it: 160 bits in base 32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def address_for_app(account: User, secret: str) -> str:
    """Return what the drawing for the app's camera says."""
    label = quote(f"{ISSUER}:{account.handle}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': ISSUER}, quote_via=quote)}"


def factors_of(account: User) -> list[Factor]:
    """Return an account's factors, without its recovery codes."""
    rows = Authenticator.objects.filter(user=account).exclude(type=Kind.RECOVERY_CODES).order_by("created_at")
    return [
        Factor(
            kind=row.type,
            name=row.data.get("name", ""),
            key_id=row.data.get("key_id", ""),
            added_at=row.created_at,
            used_at=row.last_used_at,
        )
        for row in rows
    ]


def recovery_codes_left(account: User) -> int:
    """Return how many recovery codes have not been used."""
    row = Authenticator.objects.filter(user=account, type=Kind.RECOVERY_CODES).first()
    return len(row.data["digests"]) if row is not None else 0


@transaction.atomic
def add_app(account: User, *, secret: str, code: str) -> bool:
    """Add an app in place of the one before, if its code is right; the code opens nothing any more."""
    step = _step_of(secret, code, after=0)
    if step is None:
        return False
    Authenticator.objects.filter(user=account, type=Kind.TOTP).delete()
    data = {"secret": _seal(secret, account), "last_step": step}
    Authenticator.objects.create(user=account, type=Kind.TOTP, data=data)
    _note(account, "account.add_factor")
    return True


@transaction.atomic
def add_key(account: User, *, name: str, key_id: str, credential: dict[str, Any]) -> None:
    """Add a security key whose registration was verified."""
    data = {"name": name, "key_id": key_id, "credential": credential}
    Authenticator.objects.create(user=account, type=Kind.WEBAUTHN, data=data)
    _note(account, "account.add_factor")


@transaction.atomic
def remove_factor(account: User, *, kind: str, key_id: str = "") -> bool:
    """Remove one of one's own factors; with the last one go the recovery codes. Return whether it was there."""
    rows = Authenticator.objects.filter(user=account, type=kind).exclude(type=Kind.RECOVERY_CODES)
    found = [row for row in rows if row.data.get("key_id", "") == key_id]
    for row in found:
        row.delete()
    if found:
        _note(account, "account.remove_factor")
    return bool(found)


@transaction.atomic
def new_recovery_codes(account: User) -> list[str]:
    """Replace the recovery codes, and return the new ones, to be shown once."""
    codes = [
        "".join(secrets.choice(_ALPHABET) for _ in range(RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES)
    ]
    Authenticator.objects.filter(user=account, type=Kind.RECOVERY_CODES).delete()
    data = {"digests": [_digest(account, code) for code in codes]}
    Authenticator.objects.create(user=account, type=Kind.RECOVERY_CODES, data=data)
    _record(account, "account.recovery_codes")
    return [f"{code[:5]}-{code[5:]}" for code in codes]


@transaction.atomic
def use_code(account: User, code: str) -> Authenticator | None:
    """Return the factor whose code this is, an app's or a recovery code; it opens nothing a second time."""
    typed = "".join(code.split()).replace("-", "").casefold()
    rows = {row.type: row for row in Authenticator.objects.select_for_update().filter(user=account)}
    app, recovery = rows.get(Kind.TOTP), rows.get(Kind.RECOVERY_CODES)
    if app is not None and (step := _step_of(_open(app, account), typed, after=app.data["last_step"])):
        app.data["last_step"] = step
        app.save(update_fields=["data"])
        return app
    digest = _digest(account, typed)
    if recovery is not None and digest in recovery.data["digests"]:
        recovery.data["digests"].remove(digest)
        recovery.save(update_fields=["data"])
        _record(account, "account.use_recovery_code")
        return recovery
    return None


def reset_second_factor(account: User, *, by: User) -> None:
    """Take somebody else's factors away, who has lost them; what the account has open ends.

    The caller demands a recent sign-in. Raises PermissionMissing and OwnAccount.
    """
    with act_on("account.reset_factors", account, by=by) as act:
        Authenticator.objects.filter(user=act.account).delete()
        write_account(act.account, has_second_factor=False)


def _note(account: User, action: str) -> None:
    """Keep on the account whether it has a factor, and record what changed."""
    has_one = Authenticator.objects.filter(user=account).exclude(type=Kind.RECOVERY_CODES).exists()
    if not has_one:
        Authenticator.objects.filter(user=account).delete()
    User.objects.filter(pk=account.pk).update(has_second_factor=has_one)
    account.has_second_factor = has_one
    _record(account, action)


def _record(account: User, action: str) -> None:
    record_event(
        action=action,
        tenant_id=account.tenant_id,
        actor=account.pk,
        object_type="account",
        object_id=str(account.pk),
    )


def _step_of(secret: str, code: str, *, after: int) -> int | None:
    """Return the time step whose code this is, later than `after`, or None."""
    now = int(time.time()) // STEP_S
    steps = range(max(now - TOLERANCE, after + 1), now + TOLERANCE + 1)
    return next(
        (step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), code.encode())), None
    )


def code_at(secret: str, step: int) -> str:
    """Return the code of a time step (RFC 4226, 5.3)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1)
    at = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def _place(account: User) -> tuple[str, str]:
    return ("second factor", str(account.pk))


def _seal(secret: str, account: User) -> str:
    key = keyring.key_in_use(PLATFORM, Usage.SEAL)
    return envelope.seal(key.cipher, key_id=key.key_id, clear=secret.encode(), place=_place(account))


def _open(row: Authenticator, account: User) -> str:
    """Return an app's secret. Raises SealBroken where it was changed or is another account's."""
    parsed = envelope.parse(row.data["secret"])
    key = keyring.key_by_id(parsed.key_id, PLATFORM)
    return envelope.unseal(key.cipher, parsed, place=_place(account)).decode()


def _digest(account: User, code: str) -> str:
    key = derive_key("recovery codes", PLATFORM)
    return hmac.digest(key, f"{account.pk}:{code}".encode(), hashlib.sha256).hex()
