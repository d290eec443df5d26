"""Make and read the text of a token: `qp_` and 64 characters that hold a place, an organisation and a secret.

The organisation comes along so that a token is looked up within its walls; it is not taken at its word, since the
secret belongs to that organisation's row only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from uuid import UUID

from accounts.token_models import LOOKUP_CHARS
from crypto.services import derive_key

PREFIX = "qp_"
_LOOKUP_BYTES, _TENANT_BYTES, _SECRET_BYTES = 6, 16, 26  # 48 bytes: 64 characters of base64, no padding
_FORM = re.compile(r"qp_[A-Za-z0-9_-]{64}", re.ASCII)
_PURPOSE = "accounts.api_token"


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as it is sent; the secret part holds 208 random bits."""

    text: str
    lookup: str
    tenant_id: UUID

    def __repr__(self) -> str:
        """Show no secret, wherever this is printed."""
        return f"TokenText({self.lookup})"


def make_token(tenant_id: UUID) -> TokenText:
    """Return a new random token of an organisation."""
    place = secrets.token_bytes(_LOOKUP_BYTES)
    body = place + tenant_id.bytes + secrets.token_bytes(_SECRET_BYTES)
    return _read(PREFIX + base64.urlsafe_b64encode(body).decode())


def read_token(text: str) -> TokenText | None:
    """Return a token that somebody sent, or None for what has not the form of one."""
    return _read(text) if _FORM.fullmatch(text) else None


def digest_of(token: TokenText) -> str:
    """Return what is stored. Raises KeyDestroyed and KeyUnavailable."""
    key = derive_key(_PURPOSE, token.tenant_id)
    return hmac.new(key, token.text.encode(), hashlib.sha256).hexdigest()


def _read(text: str) -> TokenText:
    body = base64.urlsafe_b64decode(text.removeprefix(PREFIX))
    tenant = body[_LOOKUP_BYTES : _LOOKUP_BYTES + _TENANT_BYTES]
    start = len(PREFIX)
    return TokenText(text, lookup=text[start : start + LOOKUP_CHARS], tenant_id=UUID(bytes=tenant))
