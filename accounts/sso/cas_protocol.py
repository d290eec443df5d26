"""Speak CAS 3.0: python-cas builds and sends the requests; what comes back is read here, and strictly.

python-cas takes the first `user` anywhere in an answer, ignores proxies, and parses whatever XML it is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import requests
from cas import CASClientV3
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from accounts.sso.cas_settings import CasSettings
from accounts.sso.outgoing import ProviderSession

CAS = "{http://www.yale.edu/tp/cas}"
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"
# The protocol asks services for 32 characters and recommends 256; a service ticket begins with ST, a proxy's with PT.
TICKET = re.compile(r"ST-[A-Za-z0-9._-]{8,253}")
MAX_LOGOUT_CHARS = 16_384
MAX_LOGOUT_TICKETS = 10


class CasRefused(Exception):
    """A ticket or an answer is not believed; `reason` is a word for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CasPerson:
    """Whom a ticket stands for: the user name and the attributes, each with its values."""

    user: str
    attributes: dict[str, tuple[str, ...]]

    def first(self, name: str) -> str:
        """Return the first value of an attribute, or ""."""
        return next(iter(self.attributes.get(name, ())), "")


def login_url(settings: CasSettings, *, service: str) -> str:
    """Return the page where the person signs in, for this service."""
    url: str = _client(settings, service=service).get_login_url()
    return url


def logout_url(settings: CasSettings) -> str:
    """Return the page that ends the person's session at the server."""
    url: str = _client(settings, service="").get_logout_url()
    return url


def validate_ticket(settings: CasSettings, *, ticket: str, service: str) -> CasPerson:
    """Return whom a service ticket stands for. Raises CasRefused; the server takes each ticket once."""
    if not TICKET.fullmatch(ticket):
        raise CasRefused("ticket")
    try:
        answer: bytes = _client(settings, service=service).get_verification_response(ticket)
    except requests.RequestException:
        raise CasRefused("unreachable") from None
    return read_answer(answer)


def ask_about_no_ticket(settings: CasSettings) -> str:
    """Return what the server speaks, by its answer about a ticket that it never made. Raises CasRefused."""
    try:
        validate_ticket(settings, ticket="ST-0-never-was-a-ticket", service="https://portal.invalid/")
    except CasRefused as refused:
        if refused.reason in {"INVALID_TICKET", "failure"}:
            return "CAS 3.0"
        raise
    raise CasRefused("form")


def read_answer(answer: bytes) -> CasPerson:
    """Return the person in an answer of serviceValidate. Raises CasRefused for a failure and for odd answers."""
    root = _parse(answer)
    parts = list(root)
    if root.tag != f"{CAS}serviceResponse" or len(parts) != 1:
        raise CasRefused("form")
    success = parts[0]
    if success.tag == f"{CAS}authenticationFailure":
        raise CasRefused("INVALID_TICKET" if success.get("code") == "INVALID_TICKET" else "failure")
    if success.tag != f"{CAS}authenticationSuccess":
        raise CasRefused("form")
    if success.find(f"{CAS}proxies") is not None:
        raise CasRefused("proxy")
    users = success.findall(f"{CAS}user")
    if len(users) != 1 or not (users[0].text or "").strip():
        raise CasRefused("form")
    return CasPerson(user=(users[0].text or "").strip(), attributes=_attributes(success))


def read_logout_request(text: str) -> list[str]:
    """Return the tickets whose sessions a logout request ends. Raises CasRefused."""
    if len(text) > MAX_LOGOUT_CHARS:
        raise CasRefused("length")
    root = _parse(text.encode())
    tickets = [(each.text or "").strip() for each in root.findall(f"{SAMLP}SessionIndex")]
    if root.tag != f"{SAMLP}LogoutRequest" or not 0 < len(tickets) <= MAX_LOGOUT_TICKETS:
        raise CasRefused("form")
    return [ticket for ticket in tickets if TICKET.fullmatch(ticket)]


def _client(settings: CasSettings, *, service: str) -> Any:
    return CASClientV3(
        service_url=service,
        server_url=settings.server_url,
        renew=settings.renew,
        session=ProviderSession(ca_certificates=settings.ca_certificates),
    )


def _parse(answer: bytes) -> Element:
    """Return the root of an XML document without a document type, and so without entities."""
    try:
        root: Element = fromstring(answer, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise CasRefused("form") from None
    return root


def _attributes(success: Element) -> dict[str, tuple[str, ...]]:
    element = success.find(f"{CAS}attributes")
    found: dict[str, Any] = CASClientV3.parse_attributes_xml_element(element) if element is not None else {}
    return {
        name: tuple(str(each) for each in (values if isinstance(values, list) else [values]) if each)
        for name, values in found.items()
    }
