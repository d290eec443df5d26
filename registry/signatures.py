"""Check detached Ed25519 signatures of model files: minisign's format, and raw ones.

minisign's: https://jedisct1.github.io/minisign/#signature-format. `ED` signs the file's BLAKE2b-512, `Ed` (legacy) the
file itself; a second signature covers the first and the trusted comment. A raw signature is 64 bytes, as they are or
in base64, over the file itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from registry.errors import ModelError

MAX_SIGNATURE_BYTES, MAX_KEY_FILE_BYTES = 8192, 65_536
COMMENT, TRUSTED = "untrusted comment:", "trusted comment: "
LEGACY, PREHASHED = b"Ed", b"ED"
KEY_BYTES, SIGNATURE_BYTES, ID_BYTES = 32, 64, 8


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may vouch for model files.

    `key_id` is what minisign shows, in 16 digits, or as many digits of a raw key's SHA-256.
    """

    key_id: str
    raw: bytes
    is_minisign: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as it was given; without `key_id` (raw ones) any trusted key may have made it."""

    text: str
    raw: bytes
    key_id: str
    algorithm: bytes
    trusted_comment: str
    comment_signature: bytes

    @property
    def is_prehashed(self) -> bool:
        """Return whether the BLAKE2b-512 of the file was signed."""
        return self.algorithm == PREHASHED


class BadSignature(ModelError):
    """The signature does not fit the file, the key or its own form."""

    code = "bad_signature"


def read_signature(path: Path) -> Signature:
    """Read a signature file. Raises BadSignature."""
    data = _read(path, limit=MAX_SIGNATURE_BYTES)
    if len(data) == SIGNATURE_BYTES:
        return parse_signature(base64.b64encode(data).decode("ascii"))
    try:
        return parse_signature(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadSignature("the signature file is not one") from None


def parse_signature(text: str) -> Signature:
    """Return what a signature's text says. Raises BadSignature."""
    lines = [line.rstrip("\r") for line in text.strip().split("\n")]
    if len(lines) == 1:
        raw = _decode(lines[0], length=SIGNATURE_BYTES)
        return Signature(text.strip(), raw, "", b"", "", b"")
    if not all(line.replace("\t", "").isprintable() for line in lines):
        raise BadSignature("the signature file has characters that no text has")
    if len(lines) != 4 or not lines[0].startswith(COMMENT) or not lines[2].startswith(TRUSTED):
        raise BadSignature("the signature file has not minisign's form")
    blob = _decode(lines[1], length=2 + ID_BYTES + SIGNATURE_BYTES)
    algorithm, key_id, raw = blob[:2], blob[2 : 2 + ID_BYTES], blob[2 + ID_BYTES :]
    if algorithm not in {LEGACY, PREHASHED}:
        raise BadSignature("the signature's algorithm is not known")
    return Signature(
        text="\n".join(lines),
        raw=raw,
        key_id=_shown(key_id),
        algorithm=algorithm,
        trusted_comment=lines[2].removeprefix(TRUSTED),
        comment_signature=_decode(lines[3], length=SIGNATURE_BYTES),
    )


def read_keys(path: Path) -> list[PublicKey]:
    """Read the public keys of a file: any number of minisign's, or one Ed25519 key as PEM. Raises BadSignature."""
    data = _read(path, limit=MAX_KEY_FILE_BYTES)
    if data.lstrip().startswith(b"-----BEGIN"):
        return [_pem_key(data)]
    try:
        lines = [line.strip() for line in data.decode("utf-8").splitlines()]
    except UnicodeDecodeError:
        raise BadSignature(f"{path.name} is not a file of public keys") from None
    keys = [line for line in lines if line and not line.startswith((COMMENT, "#"))]
    return [_minisign_key(line) for line in keys]


def check_signature(
    signature: Signature, *, key: PublicKey, path: Path, blake2b: bytes | None = None
) -> None:
    """Raise BadSignature unless `key` made the signature over the file; `blake2b` is its BLAKE2b-512 where known."""
    if signature.key_id and signature.key_id != key.key_id:
        raise BadSignature(f"the signature was made with key {signature.key_id}, not {key.key_id}")
    public = Ed25519PublicKey.from_public_bytes(key.raw)
    try:
        if signature.is_prehashed:
            public.verify(signature.raw, blake2b or _blake2b(path))
        else:
            _verify_whole(public, signature.raw, path)
        if signature.key_id:
            comment = signature.trusted_comment.encode()
            public.verify(signature.comment_signature, signature.raw + comment)
    except InvalidSignature:
        raise BadSignature("the signature does not fit the file") from None
    except OSError as error:
        raise ModelError(f"the file cannot be read: {error.strerror}") from error


def _verify_whole(public: Ed25519PublicKey, raw: bytes, path: Path) -> None:
    """Verify over the file itself, which Ed25519 wants in one piece: mapped, not read."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        public.verify(raw, view)


def _blake2b(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _minisign_key(line: str) -> PublicKey:
    blob = _decode(line, length=2 + ID_BYTES + KEY_BYTES)
    if blob[:2] != LEGACY:
        raise BadSignature("a public key is not one of minisign's")
    return PublicKey(_shown(blob[2 : 2 + ID_BYTES]), blob[2 + ID_BYTES :], is_minisign=True)


def _pem_key(data: bytes) -> PublicKey:
    try:
        key = load_pem_public_key(data)
    except ValueError:
        raise BadSignature("a public key cannot be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadSignature("a public key is not an Ed25519 key")
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PublicKey(hashlib.sha256(raw).hexdigest()[:16].upper(), raw, is_minisign=False)


def _shown(key_id: bytes) -> str:
    """Return a key's id as minisign shows it: a little-endian number in hex."""
    return f"{int.from_bytes(key_id, 'little'):016X}"


def _decode(text: str, *, length: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature("the signature or key is not in base64") from None
    if len(data) != length:
        raise BadSignature("the signature or key has not the right length")
    return data


def _read(path: Path, *, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise BadSignature(f"{path.name} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise BadSignature(f"{path.name} is too long for a signature or a key")
    return data
