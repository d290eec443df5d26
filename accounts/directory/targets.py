"""Say which addresses the portal calls for a directory: nobody may scan the network with it.

Whoever may name a server could otherwise make the portal knock anywhere. Providers that are kept in the console reach
the ports of directories only (PORTAL_DIRECTORY_PORTS); no provider reaches link-local addresses, where clouds keep
their secrets, nor anything that is not one host. What is checked is the address that is then called, not a name that
may mean another one a moment later.
"""

from __future__ import annotations

import ipaddress
import socket


def addresses_of(host: str, port: int) -> list[str]:
    """Return the allowed addresses of a host, without repetition; none where it is not found."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [address for address in addresses if is_allowed(address)]


def is_allowed(address: str) -> bool:
    """Return whether this is an address of one host that may be a directory."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    target = mapped or parsed
    return not (target.is_link_local or target.is_multicast or target.is_unspecified or target.is_reserved)
