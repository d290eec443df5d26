"""Say what each field of an event may look like, so narrowly that nothing that people write can end up there.

Every object has a registered kind, and each kind its own form of id. Whatever does not match raises
ContentRefused; the error names the field, never the value.
"""

from __future__ import annotations

import ipaddress
import re

from audit.errors import ContentRefused

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NUMBER = r"[0-9]{1,18}"
_CONSTANT = r"[a-z]{1,24}(_[a-z]{1,24}){0,3}"
_DIGEST = r"(sha256:)?[0-9a-f]{12,64}"
_CODE = r"[A-Za-z][A-Za-z0-9]{0,15}([._-][A-Za-z0-9]{1,16}){0,4}"

OBJECT_KINDS = {
    "": "",
    "account": _UUID,
    "chain": _UUID,
    "conv": rf"{_UUID}|unknown",
    "engine": _CONSTANT,
    "event": _NUMBER,
    "limit": _CONSTANT,
    "message": _UUID,
    "model": _DIGEST,
    "notice": rf"v?{_NUMBER}",
    "parameter": rf"{_CONSTANT}:({_NUMBER}|{_CONSTANT})-({_NUMBER}|{_CONSTANT})",
    "page": r"[a-z]{1,24}(:[a-z_]{1,32})?",
    "permission": rf"{_CONSTANT}(\.{_CONSTANT})?",
    "portal": _CODE,
    "provider": _UUID,
    "rule": _CODE,
    "ruleset": _CODE,
    "tenant": _UUID,
    "token": _UUID,
    "turn": _UUID,
}
_OBJECTS = {kind: re.compile(form, re.ASCII) for kind, form in OBJECT_KINDS.items()}
_MODEL_DIGEST = re.compile(rf"({_DIGEST})?", re.ASCII)
_POLICY_VERSION = re.compile(
    r"|[0-9a-f]{12,64}|(?=[^0-9]*[0-9])[A-Za-z0-9]{1,16}([._-][A-Za-z0-9]{1,16}){0,4}", re.ASCII
)
HIGHEST_NUMBER = 2_147_483_647
_IPV6_SITE_PREFIX = 48


def checked_object(kind: str, object_id: str) -> tuple[str, str]:
    """Return kind and id as they are, if the kind is registered and the id has its form."""
    form = _OBJECTS.get(kind)
    if form is None:
        raise ContentRefused("object_type is not one of audit.shapes.OBJECT_KINDS")
    if not form.fullmatch(object_id):
        raise ContentRefused(f"object_id has not the form of a '{kind}'")
    return kind, object_id


def checked_digest(digest: str) -> str:
    """Return a model's digest, or the empty text."""
    if not _MODEL_DIGEST.fullmatch(digest):
        raise ContentRefused("model_digest is not a SHA-256 digest")
    return digest


def checked_version(version: str) -> str:
    """Return a rule set's version, which a digest or something with a digit, or the empty text."""
    if not _POLICY_VERSION.fullmatch(version):
        raise ContentRefused("policy_version has not the form of a version")
    return version


def checked_number(name: str, number: int | None) -> int | None:
    """Return a measured number: none, or from 0 to what four bytes hold."""
    if number is not None and (type(number) is not int or not 0 <= number <= HIGHEST_NUMBER):
        raise ContentRefused(f"{name} is not a whole number from 0 to {HIGHEST_NUMBER}")
    return number


def checked_status(status: int) -> int:
    """Return a status with the meaning that HTTP gives it."""
    if type(status) is not int or not 100 <= status <= 599:
        raise ContentRefused("status is not an HTTP status")
    return status


def masked_ip(ip: str | None) -> str:
    """Return where a person came from, not the machine: IPv4 without its last part, IPv6 as its /48."""
    if not ip:
        return ""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        raise ContentRefused("ip is not an address") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, _IPV6_SITE_PREFIX), strict=False))
        address = address.ipv4_mapped
    return f"{str(address).rpartition('.')[0]}.xxx"
