"""A provider lets people into its own organisation and into no account but theirs."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from accounts.models import User
from accounts.provider_models import Identity, IdentityProvider
from accounts.providers import ProviderDraft, change_provider, switch_provider
from accounts.sso.models import ProviderSession
from audit.models import AuditEvent
from tenants.scope import tenant_scope
from tests.accounts.provider_support import GROUPS, organisation_of
from tests.accounts.sso.support import Surfer, open_oidc, query_of
from tests.accounts.support import sign_in, who
from tests.conftest import Cast
from tests.providers.server import Providers


def test_the_same_person_at_the_same_provider_is_two_people_in_two_organisations(
    cast: Cast, providers: Providers
) -> None:
    open_oidc(organisation_of(cast.admin), providers, by=cast.admin)
    open_oidc(organisation_of(cast.outsider), providers, by=cast.operator)
    handles = []
    for organisation in ("north", "south"):
        surfer = Surfer(providers)
        surfer.sign_in("lan", f"/o/{organisation}/in/sso/")
        assert surfer.account
        handles.append(User.objects.get(pk=surfer.account).handle)
    assert handles == ["north/lan", "south/lan"]


def test_an_answer_for_one_organisation_opens_nothing_in_another(
    cast: Cast, providers: Providers, surfer: Surfer
) -> None:
    open_oidc(organisation_of(cast.admin), providers, by=cast.admin)
    open_oidc(organisation_of(cast.outsider), providers, by=cast.operator, client_id="portal-north")
    address = surfer.go_there(surfer.leave_for(), "lan").replace("/o/north/", "/o/south/")
    assert surfer.come_back(address).status_code == 401
    assert surfer.account is None
    assert not User.objects.filter(login_name="lan").exists()


@pytest.mark.parametrize("path", ["", "callback/", "left/", "frame/"])
@pytest.mark.parametrize("way", ["/o/south/in/sso/", "/o/nowhere/in/sso/", "/o/north/in/none/"])
def test_a_way_that_is_not_there_is_missing(
    way: str, path: str, oidc: IdentityProvider, client: Client
) -> None:
    assert client.get(f"{way}{path}").status_code == 404


def test_a_provider_or_an_organisation_that_is_switched_off_lets_nobody_in(
    oidc: IdentityProvider, cast: Cast, surfer: Surfer
) -> None:
    address = surfer.go_there(surfer.leave_for(), "lan")
    switch_provider(oidc, is_on=False, by=cast.admin)
    assert surfer.come_back(address).status_code == 404
    assert "Sso" not in surfer.portal.get("/o/north/").text
    switch_provider(oidc, is_on=True, by=cast.admin)
    assert "Sso" in surfer.portal.get("/o/north/").text
    tenant = organisation_of(cast.admin)
    tenant.is_active = False
    tenant.save()
    assert surfer.portal.get("/o/north/in/sso/").status_code == 404
    assert "Sso" not in surfer.portal.get("/o/north/").text


def test_a_disabled_account_stays_out(oidc: IdentityProvider, surfer: Surfer) -> None:
    surfer.sign_in("lan")
    surfer.portal.post("/accounts/logout/")
    User.objects.filter(handle="north/lan").update(is_active=False)
    response = surfer.sign_in("lan")
    assert response.status_code == 401
    assert surfer.account is None


def test_a_name_that_is_somebody_elses_opens_nothing(
    oidc: IdentityProvider, cast: Cast, surfer: Surfer
) -> None:
    """`mei` has an account with a password here; whoever is called so at the provider is not her."""
    response = surfer.sign_in("mei")
    assert response.status_code == 409
    assert "exists already" in response.text
    assert surfer.account is None
    assert AuditEvent.objects.filter(action="identity.collide").count() == 1


def test_the_same_name_at_two_providers_is_not_the_same_person(
    oidc: IdentityProvider, cas: IdentityProvider, surfer: Surfer, providers: Providers
) -> None:
    surfer.sign_in("lan")
    other = Surfer(providers)
    assert other.sign_in("lan", "/o/north/in/cas/").status_code == 409
    assert other.account is None


def test_who_is_in_no_group_is_told_so(oidc: IdentityProvider, surfer: Surfer) -> None:
    response = surfer.sign_in("guest")
    assert response.status_code == 403
    assert "in no group" in response.text
    assert surfer.account is None


def test_other_groups_give_another_role_at_the_next_sign_in(
    oidc: IdentityProvider, surfer: Surfer, providers: Providers
) -> None:
    surfer.sign_in("bo")
    first = surfer.account
    providers.arrange(people={"bo": {"groups": ["staff"]}})
    again = Surfer(providers)
    assert again.sign_in("bo")["Location"] == "/"
    assert again.account == first
    assert User.objects.get(handle="north/bo").role == "member"
    assert surfer.portal.get("/console/").status_code == 302, "what was open as an administrator has ended"


def test_the_claims_that_count_can_be_others(oidc: IdentityProvider, cast: Cast, surfer: Surfer) -> None:
    settings = oidc.settings | {
        "login_claim": "email",
        "groups_claim": "roles",
        "scopes": "openid profile email",
    }
    change_provider(
        oidc, draft=ProviderDraft(name="Sso", settings=settings, role_mapping=GROUPS), by=cast.admin
    )
    assert surfer.sign_in("lan").status_code == 403, "no such claim, so no group"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "///evil.example", "javascript:alert(1)",
     "http://localhost:8000/", "http://127.0.0.1/", "\thttps://evil.example/"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["sso", "cas"])
def test_signing_in_leads_to_no_other_host(
    way: str, target: str, oidc: IdentityProvider, cas: IdentityProvider, surfer: Surfer
) -> None:
    response = surfer.sign_in("lan", f"/o/north/in/{way}/", next=target)
    assert (response.status_code, response["Location"]) == (302, "/")
    shown = surfer.portal.post("/o/", {"organisation": "north", "next": target})
    assert shown["Location"] == "/o/north/"


def test_signing_in_leads_back_to_the_page_that_was_asked_for(oidc: IdentityProvider, surfer: Surfer) -> None:
    assert surfer.sign_in("lan", next="/privacy/")["Location"] == "/privacy/"


def test_signing_in_gives_a_new_session_and_empties_somebody_elses(
    oidc: IdentityProvider, cast: Cast, surfer: Surfer
) -> None:
    sign_in(surfer.portal, "mei")
    session = surfer.portal.session
    session["words"] = "of mei"
    session.save()
    before = surfer.portal.cookies["portal_session"].value
    surfer.sign_in("lan")
    assert surfer.account != str(cast.member.id)
    assert surfer.portal.cookies["portal_session"].value != before
    assert "words" not in surfer.portal.session


def test_of_what_a_provider_says_nothing_more_is_kept_than_is_needed(
    oidc: IdentityProvider, surfer: Surfer
) -> None:
    surfer.sign_in("lan")
    kept = str(dict(surfer.portal.session.items()))
    for secret in ("eyJ", "code_verifier", "nonce", "lan@example.org"):
        assert secret not in kept
    with tenant_scope(oidc.tenant_id):
        assert len(ProviderSession.objects.get().mark) == 64
        assert Identity.objects.get().subject.isdigit()


# --- linking ---------------------------------------------------------------------------------------------------------


def prove(surfer: Surfer, provider: IdentityProvider, login: str) -> str:
    """Go to the provider to link, and come back."""
    start = f"/accounts/identities/add/{provider.pk}/"
    address: str = surfer.come_back(surfer.go_there(surfer.leave_for(start), login))["Location"]
    return address


def test_a_person_links_an_identity_and_gets_in_with_it(
    oidc: IdentityProvider, cast: Cast, surfer: Surfer, providers: Providers
) -> None:
    sign_in(surfer.portal, "mei")
    assert prove(surfer, oidc, "mei") == "/accounts/identities/link/"
    assert "mei" in surfer.portal.get("/accounts/identities/link/").text
    surfer.portal.post("/accounts/identities/link/")
    assert "Sso" in surfer.portal.get("/accounts/identities/").text
    other = Surfer(providers)
    other.sign_in("mei")
    assert other.account == str(cast.member.id)
    with tenant_scope(oidc.tenant_id):
        identity = Identity.objects.get()
    other.portal.post(f"/accounts/identities/{identity.pk}/unlink/")
    assert Surfer(providers).sign_in("mei").status_code == 409


def test_nothing_is_linked_before_the_person_confirms(
    oidc: IdentityProvider, cast: Cast, surfer: Surfer
) -> None:
    """Else a link that somebody follows while the attacker is signed in at the provider would give him the account."""
    sign_in(surfer.portal, "mei")
    prove(surfer, oidc, "guest")
    with tenant_scope(oidc.tenant_id):
        assert not Identity.objects.exists()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = surfer.portal.cookies
    assert strict.post("/accounts/identities/link/").status_code == 403


def test_what_one_person_proved_is_not_linked_to_another(
    oidc: IdentityProvider, cast: Cast, surfer: Surfer
) -> None:
    sign_in(surfer.portal, "mei")
    address = surfer.go_there(surfer.leave_for(f"/accounts/identities/add/{oidc.pk}/"), "guest")
    state = query_of(address)["state"]
    session = surfer.portal.session
    kept = dict(session.items())["socialaccount_states"][state]
    surfer.portal.post("/accounts/logout/")
    sign_in(surfer.portal, "lin")
    session = surfer.portal.session
    session["socialaccount_states"] = {state: kept}
    session.save()
    assert surfer.come_back(address).status_code == 401
    surfer.portal.post("/accounts/identities/link/")
    with tenant_scope(oidc.tenant_id):
        assert not Identity.objects.exists()


def test_an_identity_of_somebody_is_not_linked_to_a_second_account(
    oidc: IdentityProvider, cast: Cast, surfer: Surfer, providers: Providers
) -> None:
    surfer.sign_in("lan")
    other = Surfer(providers)
    sign_in(other.portal, "mei")
    prove(other, oidc, "lan")
    other.portal.post("/accounts/identities/link/")
    with tenant_scope(oidc.tenant_id):
        assert str(Identity.objects.get().account_id) == surfer.account


def test_nobody_links_at_another_organisations_provider(
    cast: Cast, providers: Providers, client: Client
) -> None:
    south = open_oidc(organisation_of(cast.outsider), providers, by=cast.operator)
    sign_in(client, "mei")
    assert client.get(f"/accounts/identities/add/{south.pk}/").status_code == 404


# --- the door --------------------------------------------------------------------------------------------------------


def shown(client: Client, path: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", client.get(path).text)


def test_the_door_does_not_tell_which_organisations_there_are(cast: Cast) -> None:
    """An organisation without buttons and none at all look the same, but for the code that was asked for."""
    pages = [shown(Client(), f"/o/{code}/").replace(code, "…") for code in ("south", "nowhere", "north")]
    assert pages[0] == pages[1] == pages[2]


def test_the_organisation_is_remembered(oidc: IdentityProvider, cast: Cast, client: Client) -> None:
    assert "Sso" not in client.get("/accounts/login/").text
    sign_in(client, "mei")
    client.post("/accounts/logout/")
    page = client.get("/accounts/login/").text
    assert 'value="north"' in page
    assert "/o/north/in/sso/" in page
    assert client.cookies["portal_organisation"]["httponly"]


def test_a_code_that_cannot_be_one_leads_back_to_the_page(client: Client, db: None) -> None:
    for odd in ("", "../admin", "a/b", "x" * 33, "é", "//evil.example"):
        assert client.post("/o/", {"organisation": odd})["Location"] == "/accounts/login/"
    assert client.post("/o/", {"organisation": " NORTH "})["Location"] == "/o/north/"
    assert who(client) is None
