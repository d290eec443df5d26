"""Sign in through OpenID Connect: allauth's authorization code flow with PKCE, and stricter about what comes back."""

from __future__ import annotations

import secrets
from typing import Any

import requests
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse

from accounts.arriving import Arrival
from accounts.provider_models import IdentityProvider
from accounts.sso.completing import Proof
from accounts.sso.discovery import (
    Metadata,
    ProviderFault,
    fetch_json,
    keys_of,
    metadata_of,
    newer_keys_of,
)
from accounts.sso.oidc_settings import OidcSettings
from accounts.sso.outgoing import ProviderSession
from accounts.sso.tokens import Expected, KeyUnknown, TokenRefused, read_id_token
from accounts.sso.ways import address_of, portal_origin

MAX_GROUPS = 2000


class TokenClient(OAuth2Client):  # type: ignore[misc]
    """Exchanges the code for tokens, within the bounds of a provider's session and for JSON only."""

    ca_certificates = ""

    def get_access_token(
        self, code: str, pkce_code_verifier: str | None = None, extra_data: Any = None
    ) -> dict[str, Any]:
        """Return the token answer. Raises OAuth2Error, with nothing in it of what the provider said."""
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback_url,
            "code_verifier": pkce_code_verifier,
        }
        auth = (self.consumer_key, self.consumer_secret) if self.basic_auth else None
        if auth is None:
            data |= {"client_id": self.consumer_key, "client_secret": self.consumer_secret}
        try:
            with ProviderSession(ca_certificates=self.ca_certificates) as session:
                answer = session.post(self.access_token_url, data=data, auth=auth)
                answer.raise_for_status()
                found = answer.json()
        except requests.RequestException:
            raise OAuth2Error("token") from None
        if not isinstance(found, dict) or not found.get("access_token") or not found.get("id_token"):
            raise OAuth2Error("token")
        return found


class OidcAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """One exchange with one provider. `state` is what the session kept when the person was sent there."""

    client_class = TokenClient

    def __init__(self, request: HttpRequest, provider: OidcProvider) -> None:
        super().__init__(request, provider.sub_id)
        self._provider = provider
        self.state: dict[str, Any] = {}

    def get_provider(self) -> OidcProvider:
        """Return the provider at hand, whatever else allauth knows."""
        return self._provider

    @property
    def metadata(self) -> Metadata:
        """Return what the provider publishes. Raises OAuth2Error."""
        try:
            return metadata_of(self._provider.settings)
        except ProviderFault as error:
            raise OAuth2Error(error.step) from None

    @property
    def openid_config(self) -> dict[str, Any]:
        """Return the addresses that allauth asks for."""
        metadata = self.metadata
        return {
            "authorization_endpoint": metadata.authorization_endpoint,
            "token_endpoint": metadata.token_endpoint,
        }

    @property
    def basic_auth(self) -> bool:
        """Return whether the secret goes into the header."""
        return not self.metadata.takes_posted_secret

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        """Return where the provider sends people back to: one address per provider."""
        return portal_origin(request) + address_of(self._provider.row, "sso_callback")

    def get_client(self, request: HttpRequest, app: Any) -> TokenClient:
        """Return allauth's client with the provider's authorities."""
        client: TokenClient = super().get_client(request, app)
        client.ca_certificates = self._provider.settings.ca_certificates
        return client

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **answer: Any) -> Any:
        """Return the sign-in of whom the ID token names. Raises OAuth2Error for one that is not believed."""
        claims = self._claims(answer["response"])
        self._provider.proof = Proof(arrival=self._arrival(claims), mark=str(claims.get("sid") or ""))
        return self._provider.sociallogin_from_response(request, {"sub": claims["sub"]})

    def _claims(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the claims of the ID token, and of userinfo what the token does not say."""
        nonce = str(self.state.get("nonce") or "")
        try:
            claims = self._read_token(str(answer["id_token"]), nonce=nonce)
            more = self._userinfo(str(answer["access_token"]), subject=claims["sub"])
        except (TokenRefused, ProviderFault) as error:
            raise OAuth2Error(type(error).__name__) from None
        return more | claims

    def _read_token(self, token: str, *, nonce: str) -> dict[str, Any]:
        settings, metadata = self._provider.settings, self.metadata
        try:
            expected = Expected(metadata.issuer, settings.client_id, keys_of(settings, metadata))
            return read_id_token(token, expected, nonce=nonce)
        except KeyUnknown:
            expected = Expected(metadata.issuer, settings.client_id, newer_keys_of(settings, metadata))
            return read_id_token(token, expected, nonce=nonce)

    def _userinfo(self, access_token: str, *, subject: str) -> dict[str, Any]:
        url = self.metadata.userinfo_endpoint
        if not url:
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        found = fetch_json(self._provider.settings, url, step="userinfo", headers=headers)
        # Userinfo is not signed; the standard has its subject compared, against answers that were swapped.
        if found.get("sub") != subject:
            raise TokenRefused("userinfo")
        return found

    def _arrival(self, claims: dict[str, Any]) -> Arrival:
        settings = self._provider.settings
        return Arrival(
            subject=str(claims["sub"]),
            login_name=_text(claims.get(settings.login_claim)),
            display_name=_text(claims.get(settings.name_claim)),
            groups=_texts(claims.get(settings.groups_claim)),
        )


class OidcProvider(OpenIDConnectProvider):  # type: ignore[misc]
    """An organisation's OpenID provider, as allauth sees one; the state in the session carries its id."""

    id = "oidc"
    oauth2_adapter_class = OidcAdapter

    def __init__(self, request: HttpRequest, row: IdentityProvider) -> None:
        self.row, self.settings = row, OidcSettings.of(row.settings)
        self.proof: Proof | None = None
        app = SocialApp(
            provider=self.id,
            provider_id=str(row.pk),
            name=row.name,
            client_id=self.settings.client_id,
            secret=row.secret("client_secret"),
        )
        super().__init__(request, app=app)

    def get_oauth2_adapter(self, request: HttpRequest) -> OidcAdapter:
        """Return the exchange with this provider."""
        return OidcAdapter(request, self)

    def get_pkce_params(self) -> dict[str, str]:
        """Return a new challenge and its verifier; there is no way without."""
        params: dict[str, str] = generate_code_challenge()
        return params

    def send(self, request: HttpRequest, *, process: str, next_url: str | None, **kept: str) -> HttpResponse:
        """Send the person to the provider. Nothing of what they sent gets into the request but `next_url`."""
        nonce = secrets.token_urlsafe(24)
        response: HttpResponse = self.redirect(
            request,
            process,
            next_url=next_url,
            scope=list(self.settings.scopes),
            auth_params={"nonce": nonce},
            nonce=nonce,
            **kept,
        )
        return response

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Return the subject."""
        return str(data["sub"])

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Keep nothing."""
        return {}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        """Say nothing to allauth."""
        return {}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        """No mail address means anything here."""
        return []


class OidcCallback(OAuth2CallbackView):  # type: ignore[misc]
    """allauth's way back from the provider, which hands the state on and knows providers apart."""

    def _get_state(self, request: HttpRequest, provider: OidcProvider) -> Any:
        state, response = super()._get_state(request, provider)
        if state is not None:
            self.adapter.state = state
            self._require_sender(request)
        return state, response

    def _require_sender(self, request: HttpRequest) -> None:
        """Refuse an answer that another provider than the asked one names as its own (RFC 9207)."""
        metadata = self.adapter.metadata
        named = request.GET.get("iss")
        if (named is None and metadata.names_itself) or (named is not None and named != metadata.issuer):
            raise OAuth2Error("iss")


def receive_answer(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    """Answer somebody whom the provider has sent back. Raises OAuth2Error where the answer is not to be believed."""
    provider = OidcProvider(request, row)
    view = OidcCallback.adapter_view(provider.get_oauth2_adapter(request))
    response: HttpResponse = view(request)
    return response


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 255 else ""


def _texts(value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    return (
        tuple(each for each in given[:MAX_GROUPS] if isinstance(each, str)) if isinstance(given, list) else ()
    )
