"""Say which keys may vouch for model files: those of PORTAL_MODEL_KEYS, but for the revoked ones.

PORTAL_MODEL_KEYS is a file of public keys, or a folder of such files (`*.pub`, `*.pem`). `revoked.txt` in that folder,
or beside that file, has the ids of keys that no longer count, one a line; what stands after the id is a note.
"""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from registry.models import SignatureState
from registry.signatures import (
    BadSignature,
    PublicKey,
    Signature,
    check_signature,
    parse_signature,
    read_keys,
)

REVOKED = "revoked.txt"
SUFFIXES = (".pub", ".pem")
KEY_ID_DIGITS = 16
KEY_ID = re.compile(r"[0-9A-Fa-f]{1,16}")  # minisign shows ids without leading zeros


def trusted_keys() -> list[PublicKey]:
    """Return the keys that count now. Raises BadSignature for a file that cannot be read: fewer keys are no answer."""
    revoked = _revoked()
    return [key for key in _keys() if key.key_id not in revoked]


def find_key(signature: Signature, *, path: Path, blake2b: bytes | None = None) -> PublicKey:
    """Return the trusted key that made this signature over the file. Raises BadSignature."""
    keys = trusted_keys()
    if not keys:
        raise BadSignature("no key is trusted; see PORTAL_MODEL_KEYS")
    if signature.key_id:
        keys = [key for key in keys if key.key_id == signature.key_id]
        if not keys:
            raise BadSignature(f"key {signature.key_id} is not among the trusted ones of PORTAL_MODEL_KEYS")
    for key in keys[:-1]:
        try:
            check_signature(signature, key=key, path=path, blake2b=blake2b)
        except BadSignature:
            continue
        return key
    check_signature(signature, key=keys[-1], path=path, blake2b=blake2b)
    return keys[-1]


def state_of(text: str, *, key_id: str, path: Path, blake2b: bytes | None = None) -> SignatureState:
    """Return what a stored signature is worth now; a key that is no longer among the trusted ones counts as revoked.

    Raises BadSignature where it does not fit the file.
    """
    if not text:
        return SignatureState.NONE
    signature = parse_signature(text)
    key = next((key for key in trusted_keys() if key.key_id == key_id), None)
    if key is None:
        return SignatureState.REVOKED
    check_signature(signature, key=key, path=path, blake2b=blake2b)
    return SignatureState.VALID


def _keys() -> list[PublicKey]:
    place = settings.PORTAL.model_keys
    if place is None:
        return []
    if not place.is_dir():
        return read_keys(place)
    files = sorted(file for file in place.iterdir() if file.suffix in SUFFIXES)
    return [key for file in files for key in read_keys(file)]


def _revoked() -> frozenset[str]:
    place = settings.PORTAL.model_keys
    if place is None:
        return frozenset()
    file = (place if place.is_dir() else place.parent) / REVOKED
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError):
        raise BadSignature(f"{file.name} cannot be read") from None
    words = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    ids = [word[0] for word in words]
    if not all(KEY_ID.fullmatch(key_id) for key_id in ids):
        raise BadSignature(f"{file.name} has a line that does not begin with the id of a key")
    return frozenset(key_id.upper().zfill(KEY_ID_DIGITS) for key_id in ids)
