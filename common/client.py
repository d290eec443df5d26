"""Find out whose network address a request came from."""

from __future__ import annotations

import ipaddress


def client_ip(*, remote: str, forwarded_for: str, trusted_proxies: int) -> str | None:
    """Return the client's address, or None where there is none that can be believed.

    The left part of X-Forwarded-For is whatever the client wrote; only the last `trusted_proxies` hops are ours, so
    the client is counted from the right.
    """
    candidate = remote
    if trusted_proxies:
        hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
        if len(hops) < trusted_proxies:
            return None
        candidate = hops[-trusted_proxies]
    try:
        return str(ipaddress.ip_address(candidate))
    except ValueError:
        return None
