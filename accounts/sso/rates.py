"""Hold strangers to a pace at the addresses that providers and browsers call without signing in."""

from __future__ import annotations

from django.http import HttpRequest
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from accounts.errors import TooManyRequests
from accounts.lockout import request_ip

# A provider that ends many people's sessions at once calls from one address.
LOGOUTS = RateLimitItemPerMinute(600)
STARTS = RateLimitItemPerMinute(60)
RETRY_MS = 60_000

_limiter = MovingWindowRateLimiter(MemoryStorage())


def hold_pace(request: HttpRequest, pace: RateLimitItemPerMinute, *, what: str) -> None:
    """Count a request from an address. Raises TooManyRequests beyond the pace; each process counts for itself."""
    if not _limiter.hit(pace, what, request_ip(request) or "unknown"):
        raise TooManyRequests(retry_after_ms=RETRY_MS)
