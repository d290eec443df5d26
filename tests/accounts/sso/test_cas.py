"""People get in through their organisation's CAS server, and nothing that is not wholly right lets anybody in."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.sso.cas_protocol import CasRefused, read_answer, read_logout_request
from tests.accounts.provider_support import organisation_of
from tests.accounts.sso.support import ORIGIN, Surfer, open_cas, query_of
from tests.accounts.support import who
from tests.conftest import Cast
from tests.providers.server import Providers

WAY = "/o/north/in/cas/"


def test_somebody_new_gets_an_account_with_the_role_of_their_group(
    cas: IdentityProvider, surfer: Surfer
) -> None:
    response = surfer.sign_in("bo", WAY)
    assert (response.status_code, response["Location"]) == (302, "/console/")
    assert surfer.account
    account = User.objects.get(pk=surfer.account)
    assert (account.handle, account.role, account.display_name) == ("north/bo", "admin", "Bo Xu")


def test_a_ticket_counts_once(cas: IdentityProvider, surfer: Surfer) -> None:
    """In another browser and with a state of its own, too; the portal remembers, whatever the server would say."""
    address = surfer.go_there(surfer.leave_for(WAY), "lan")
    ticket = query_of(address)["ticket"]
    assert surfer.come_back(address).status_code == 302
    for client in (surfer.portal, Client()):
        client.post("/accounts/logout/")
        state = query_of(query_of(client.get(WAY)["Location"])["service"])["state"]
        assert client.get(f"{WAY}callback/?state={state}&ticket={ticket}").status_code == 401
        assert who(client) is None


def test_a_ticket_is_refused_here_even_where_the_server_would_take_it_again(
    cas: IdentityProvider, surfer: Surfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = query_of(surfer.go_there(surfer.leave_for(WAY), "lan"))["ticket"]
    answer = (
        PERSON
        % b"<cas:user>lan</cas:user><cas:attributes><cas:memberOf>staff</cas:memberOf></cas:attributes>"
    )
    monkeypatch.setattr("cas.CASClientV3.get_verification_response", lambda *_: answer)
    statuses = []
    for client in (Client(), Client()):
        state = query_of(query_of(client.get(WAY)["Location"])["service"])["state"]
        statuses.append(client.get(f"{WAY}callback/?state={state}&ticket={ticket}").status_code)
    assert statuses == [302, 401]


def test_a_ticket_of_another_service_is_refused(cas: IdentityProvider, surfer: Surfer) -> None:
    """A ticket is made out to one address; that of a sign-in with another state is another one."""
    ticket = query_of(surfer.go_there(surfer.leave_for(WAY), "lan"))["ticket"]
    state = query_of(query_of(surfer.leave_for(WAY))["service"])["state"]
    assert surfer.portal.get(f"{WAY}callback/?state={state}&ticket={ticket}").status_code == 401
    assert surfer.account is None


def test_a_ticket_counts_in_the_browser_that_asked(cas: IdentityProvider, surfer: Surfer) -> None:
    address = surfer.go_there(surfer.leave_for(WAY), "lan")
    stranger = Client()
    assert stranger.get(address.removeprefix(ORIGIN)).status_code == 401
    assert who(stranger) is None


@pytest.mark.parametrize(
    "ticket",
    [
        "PT-1-proxy-ticket-of-a-friend",
        "ST-short",
        "",
        "ST-1-a&service=https://x",
        "x" * 300,
        "ST-1-\x00abcdef",
    ],
)
def test_what_is_no_service_ticket_is_not_even_asked_about(
    ticket: str, cas: IdentityProvider, surfer: Surfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("cas.CASClientV3.get_verification_response", lambda _self, it: asked.append(it))
    state = query_of(query_of(surfer.leave_for(WAY))["service"])["state"]
    assert surfer.portal.get(f"{WAY}callback/", {"state": state, "ticket": ticket}).status_code == 401
    assert asked == []


def test_a_server_that_does_not_answer_lets_nobody_in(
    cast: Cast, providers: Providers, surfer: Surfer
) -> None:
    open_cas(organisation_of(cast.admin), providers, by=cast.admin, server_url="http://127.0.0.1:1/cas/")
    state = query_of(query_of(surfer.leave_for(WAY))["service"])["state"]
    assert surfer.portal.get(f"{WAY}callback/?state={state}&ticket=ST-1-abcdefghijkl").status_code == 401


PERSON = (
    b'<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationSuccess>%s'
    b"</cas:authenticationSuccess></cas:serviceResponse>"
)


def test_an_answer_is_read_with_its_attributes() -> None:
    person = read_answer(
        PERSON
        % b"<cas:user> lan </cas:user><cas:attributes><cas:memberOf>a</cas:memberOf><cas:memberOf>b</cas:memberOf>"
        b"<cas:name/></cas:attributes>"
    )
    assert (person.user, person.attributes["memberOf"], person.attributes["name"]) == ("lan", ("a", "b"), ())


ODD = {
    "a proxy's": PERSON
    % b"<cas:user>lan</cas:user><cas:proxies><cas:proxy>https://x</cas:proxy></cas:proxies>",
    "two people": PERSON % b"<cas:user>lan</cas:user><cas:user>bo</cas:user>",
    "nobody": PERSON % b"<cas:user> </cas:user>",
    "a user among the attributes only": PERSON % b"<cas:attributes><cas:user>lan</cas:user></cas:attributes>",
    "success and failure": PERSON.replace(
        b"</cas:serviceResponse>", b'<cas:authenticationFailure code="X"/></cas:serviceResponse>'
    )
    % b"<cas:user>lan</cas:user>",
    "another name space": (PERSON % b"<cas:user>lan</cas:user>").replace(b"yale", b"elsewhere"),
    "success that is none": b'<x xmlns="http://elsewhere/"><authenticationSuccess/></x>',
    "failure": b'<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationFailure code="E"/>'
    b"</cas:serviceResponse>",
    "an entity": b'<!DOCTYPE x [<!ENTITY u "lan">]>' + PERSON % b"<cas:user>&u;</cas:user>",
    "a file": b'<!DOCTYPE x [<!ENTITY u SYSTEM "file:///etc/passwd">]>'
    + PERSON % b"<cas:user>&u;</cas:user>",
    "a document type": b"<!DOCTYPE x>" + PERSON % b"<cas:user>lan</cas:user>",
    "no XML": b"yes\nlan\n",
    "nothing": b"",
    "an odd encoding": b'<?xml version="1.0" encoding="x-none"?>' + PERSON % b"<cas:user>lan</cas:user>",
}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_answer_is_refused(what: str) -> None:
    with pytest.raises(CasRefused):
        read_answer(ODD[what])


LOGOUT = (
    '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="x" Version="2.0">'
    "%s</samlp:LogoutRequest>"
)
INDEX = "<samlp:SessionIndex>%s</samlp:SessionIndex>"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        LOGOUT % "",
        LOGOUT.replace("SAML:2.0", "SAML:1.0") % (INDEX % "ST-1-abcdefghijkl"),
        '<!DOCTYPE x [<!ENTITY t "ST-1-abcdefghijkl">]>' + LOGOUT % (INDEX % "&t;"),
        LOGOUT % (INDEX % "ST-1-abcdefghijkl" * 11),
        LOGOUT % ("<a/>" * 5000 + INDEX % "ST-1-abcdefghijkl"),
    ],
)
def test_an_odd_logout_request_is_refused(text: str) -> None:
    with pytest.raises(CasRefused):
        read_logout_request(text)


def test_a_logout_request_names_tickets() -> None:
    assert read_logout_request(LOGOUT % (INDEX % " ST-1-abcdefghijkl " + INDEX % "TGT-1-abcdefghijkl")) == [
        "ST-1-abcdefghijkl"
    ]
