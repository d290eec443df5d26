"""Say which addresses the portal may be sent to by those who configure identity providers."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

MAX_URL_CHARS = 500

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds tell a machine its own secrets; the usual 169.254.169.254 is link-local and refused with its kind.
METADATA_SERVICES = frozenset(
    {ipaddress.ip_address("100.100.100.200"), ipaddress.ip_address("fd00:ec2::254")}
)


def clean_url(text: object) -> str:
    """Return an https address without user, query and fragment. Raises ValidationError.

    http is taken for this machine alone, and only by an embedded portal, for trying things out.
    """
    url = str(text).strip()
    if not is_provider_url(url) or urlsplit(url).query:
        raise ValidationError(_("An address begins with https:// and has no user name, “?” or “#” in it."))
    return url


def is_provider_url(url: str) -> bool:
    """Return whether the portal may call this address, as far as its text tells."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    plain = parts.username is None and parts.password is None and not parts.fragment
    clean = len(url) <= MAX_URL_CHARS and url.isascii() and not any(mark in url for mark in " \\\t\r\n")
    return bool(host) and plain and clean and _is_scheme_right(parts.scheme, host or "")


def is_permitted(address: IPAddress) -> bool:
    """Return whether the portal may connect to this address.

    Providers live in private networks, so those are allowed; this machine is not, in production, nor is anything that
    is no ordinary host.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return is_permitted(address.ipv4_mapped)
    if address.is_loopback:
        return settings.PORTAL.mode == "embedded"
    odd = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    return not odd and address not in METADATA_SERVICES


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_scheme_right(scheme: str, host: str) -> bool:
    return scheme == "https" or (scheme == "http" and settings.PORTAL.mode == "embedded" and _is_local(host))


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
