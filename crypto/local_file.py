"""Keep the key-encryption key in one file that only its owner can read.

`kek.json` holds `{"version": 1, "current": "k1", "keys": {"k1": "<base64 of 32 bytes>"}}`. Whoever has the
file and the database can read everything, so the two do not belong on one backup medium; see the decision on
field encryption.

The file is made by `create_key_file` and by nothing else. A missing file is an error and never a reason to
make a new one: a new key would open nothing that is stored.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.errors import KeyUnavailable
from crypto.wrapping import WrappedKey

FIRST_KEK_ID = "k1"
KEK_BYTES = 32
NONCE_BYTES = 12
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class LocalFileProvider:
    """Wrap data keys with the key of a local file, which is read at the first use and kept in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._current = ""
        self._ciphers: dict[str, AESGCM] = {}

    @property
    def current_kek_id(self) -> str:
        """Return the version that wraps new data keys. Raises KeyUnavailable."""
        with self._lock:
            if not self._current:
                self._load()
            return self._current

    def check(self) -> None:
        """Read the file again and keep to what was read before. Raises KeyUnavailable."""
        read_key_file(self._path)

    def wrap(self, secret: bytes, *, context: bytes) -> WrappedKey:
        """Return `secret` wrapped by the current version, bound to `context`. Raises KeyUnavailable."""
        kek_id = self.current_kek_id
        nonce = os.urandom(NONCE_BYTES)
        return WrappedKey(kek_id, nonce + self._cipher(kek_id).encrypt(nonce, secret, context))

    def unwrap(self, wrapped: WrappedKey, *, context: bytes) -> bytes:
        """Return the secret.

        Raises KeyUnavailable: file missing or unsafe, version unknown, or another key.
        """
        cipher = self._cipher(wrapped.kek_id)
        try:
            return cipher.decrypt(wrapped.blob[:NONCE_BYTES], wrapped.blob[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise KeyUnavailable(
                f"{self._path} holds another key than the one that wrapped this data"
            ) from None

    def _cipher(self, kek_id: str) -> AESGCM:
        with self._lock:
            if kek_id not in self._ciphers:
                self._load()
            try:
                return self._ciphers[kek_id]
            except KeyError:
                raise KeyUnavailable(f"{self._path} has no version '{kek_id}'") from None

    def _load(self) -> None:
        """Read the file anew: another process may have added a version."""
        self._current, keys = read_key_file(self._path)
        self._ciphers = {kek_id: AESGCM(key) for kek_id, key in keys.items()}


def create_key_file(path: Path) -> bool:
    """Make the key file unless there is one; return whether this call made it.

    The folder gets mode 0700, the file 0600. It is written aside, synced and linked into place, so that a
    crash leaves no half file and of two processes exactly one wins. Raises KeyUnavailable when it cannot be
    written.
    """
    key = base64.b64encode(os.urandom(KEK_BYTES)).decode()
    content = json.dumps({"version": 1, "current": FIRST_KEK_ID, "keys": {FIRST_KEK_ID: key}}, indent=1)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write_synced(draft, content)
            os.link(draft, path, follow_symlinks=False)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise KeyUnavailable(f"{path} cannot be written: {error.strerror}") from error
    return True


def read_key_file(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return the current version's id and all keys.

    Raises KeyUnavailable with one line that names the fault.
    """
    content = _read_private(path)
    try:
        data = json.loads(content)
        keys = {str(kek_id): base64.b64decode(key, validate=True) for kek_id, key in data["keys"].items()}
        current = str(data["current"])
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise KeyUnavailable(f"{path} is not a key file") from None
    if current not in keys or any(len(key) != KEK_BYTES for key in keys.values()):
        raise KeyUnavailable(f"{path} is not a key file")
    return current, keys


def _read_private(path: Path) -> bytes:
    """Return the content of a file that is ours alone; what was opened is checked, not its name."""
    try:
        _require_private(path.parent, path.parent.lstat(), is_kind=stat.S_ISDIR)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KeyUnavailable(
            f"{path} is missing; restore it from its backup, a new key opens nothing"
        ) from None
    except OSError as error:
        raise KeyUnavailable(f"{path} cannot be opened: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        _require_private(path, os.fstat(descriptor), is_kind=stat.S_ISREG)
        return file.read()


def _require_private(path: Path, status: os.stat_result, *, is_kind: Callable[[int], bool]) -> None:
    if not is_kind(status.st_mode):
        raise KeyUnavailable(f"{path} must not be a link or a special file")
    if status.st_uid != os.geteuid():
        raise KeyUnavailable(f"{path} belongs to another user")
    if status.st_mode & _OTHERS:
        raise KeyUnavailable(f"{path} can be read by others; its mode must be {_wanted_mode(status)}")


def _wanted_mode(status: os.stat_result) -> str:
    return "0700" if stat.S_ISDIR(status.st_mode) else "0600"


def _write_synced(path: Path, content: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
