"""Sign in through CAS: a provider of allauth's over python-cas."""

from __future__ import annotations

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import Provider, ProviderAccount
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import urlencode

from accounts.arriving import Arrival
from accounts.provider_models import IdentityProvider
from accounts.sso.cas_protocol import TICKET, CasPerson, CasRefused, login_url, validate_ticket
from accounts.sso.cas_settings import CasSettings
from accounts.sso.completing import Proof
from accounts.sso.logout import spend
from accounts.sso.ways import address_of, portal_origin
from tenants.scope import tenant_scope


class CasProvider(Provider):  # type: ignore[misc]
    """An organisation's CAS server, as allauth sees a provider; the state in the session carries its id."""

    id = "cas"
    name = "CAS"
    account_class = ProviderAccount
    supports_redirect = True

    def __init__(self, request: HttpRequest, row: IdentityProvider) -> None:
        self.row, self.settings = row, CasSettings.of(row.settings)
        self.proof: Proof | None = None
        super().__init__(request, app=SocialApp(provider=self.id, provider_id=str(row.pk), name=row.name))

    def send(self, request: HttpRequest, *, process: str, next_url: str | None, **kept: str) -> HttpResponse:
        """Send the person to the server."""
        state_id = self.stash_redirect_state(request, process, next_url, None, **kept)
        return HttpResponseRedirect(login_url(self.settings, service=self.service(request, state_id)))

    def service(self, request: HttpRequest, state_id: str) -> str:
        """Return the address that tickets are made out to: the portal's own, never the Host header's."""
        path = address_of(self.row, "sso_callback")
        return f"{portal_origin(request)}{path}?{urlencode({'state': state_id})}"

    def read_proof(self, request: HttpRequest, *, ticket: str, state_id: str) -> Proof:
        """Return whom a ticket stands for. Raises CasRefused; a ticket counts once, whatever the server says."""
        if not TICKET.fullmatch(ticket):
            raise CasRefused("ticket")
        with tenant_scope(self.row.tenant_id):
            is_new = spend(self.row, ticket)
        if not is_new:
            raise CasRefused("replay")
        person = validate_ticket(self.settings, ticket=ticket, service=self.service(request, state_id))
        return Proof(arrival=self._arrival(person), mark=ticket)

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Return the subject."""
        return str(data["subject"])

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Keep nothing."""
        return {}

    def _arrival(self, person: CasPerson) -> Arrival:
        settings = self.settings
        subject = person.first(settings.id_attribute) if settings.id_attribute else person.user
        login = person.first(settings.login_attribute) if settings.login_attribute else person.user
        if not subject:
            raise CasRefused("subject")
        return Arrival(
            subject=subject,
            login_name=login,
            display_name=person.first(settings.name_attribute),
            groups=person.attributes.get(settings.groups_attribute, ()),
        )


def receive_answer(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    """Answer somebody whom the server has sent back with a ticket.

    Raises PermissionDenied for a state that this session does not have, and CasRefused.
    """
    provider = CasProvider(request, row)
    state_id = request.GET.get("state", "")
    state = provider.unstash_redirect_state(request, state_id)
    proof = provider.read_proof(request, ticket=request.GET.get("ticket", ""), state_id=state_id)
    provider.proof = proof
    login = provider.sociallogin_from_response(request, {"subject": proof.arrival.subject})
    login.state = state
    try:
        response: HttpResponse = complete_social_login(request, login)
    except ImmediateHttpResponse as answer:
        response = answer.response
    return response
