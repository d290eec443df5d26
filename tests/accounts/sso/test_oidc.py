"""People get in through their organisation's OpenID provider."""

from __future__ import annotations

from accounts.models import User
from accounts.provider_models import IdentityProvider
from tests.accounts.sso.support import Surfer, query_of


def test_somebody_new_gets_an_account_with_the_role_of_their_group(
    oidc: IdentityProvider, surfer: Surfer
) -> None:
    response = surfer.sign_in("lan")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert surfer.account
    account = User.objects.get(pk=surfer.account)
    assert (account.handle, account.role, account.display_name) == ("north/lan", "member", "Lan He")
    assert not account.has_usable_password()


def test_the_request_carries_challenge_nonce_and_state(oidc: IdentityProvider, surfer: Surfer) -> None:
    first, second = (query_of(surfer.leave_for()) for _ in range(2))
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == "http://127.0.0.1:8000/o/north/in/sso/callback/"
    for name in ("code_challenge", "nonce", "state"):
        assert len(first[name]) >= 16
        assert first[name] != second[name]
