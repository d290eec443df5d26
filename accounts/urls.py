"""Route sign-in and sign-out: allauth's views, and only these two of them."""

from __future__ import annotations

from django.urls import path
from django.views.decorators.http import require_http_methods

from accounts import (
    confirm_views,
    identity_views,
    invitation_views,
    password_views,
    second_factor_views,
    session_views,
    token_views,
    views,
)

urlpatterns = [
    path("login/", require_http_methods(["GET", "HEAD", "POST"])(views.sign_in), name="account_login"),
    path("logout/", views.sign_out, name="account_logout"),
    path("password/", password_views.password, name="account_password"),
    path("invitation/", invitation_views.join, name="account_invitation"),
    path("invitation/<uuid:account_id>/<str:token>/", invitation_views.enter, name="account_invited"),
    path("identities/", identity_views.identities, name="identities"),
    path("identities/add/<uuid:provider_id>/", identity_views.add, name="identities_add"),
    path("identities/link/", identity_views.link, name="identities_link"),
    path("identities/<uuid:identity_id>/unlink/", identity_views.unlink, name="identities_unlink"),
    path("tokens/", token_views.tokens, name="account_tokens"),
    path("tokens/<uuid:token_id>/revoke/", token_views.revoke, name="account_token_revoke"),
    path("confirm/", confirm_views.confirm, name="account_reauthenticate"),
    path("second-factor/", second_factor_views.overview, name="account_second_factor"),
    path("second-factor/ask/", second_factor_views.ask, name="mfa_authenticate"),
    path("second-factor/app/", second_factor_views.app, name="account_second_factor_app"),
    path("second-factor/app/remove/", second_factor_views.remove_app, name="account_remove_app"),
    path("second-factor/key/", second_factor_views.key, name="account_second_factor_key"),
    path(
        "second-factor/key/<uuid:key_id>/remove/", second_factor_views.remove_key, name="account_remove_key"
    ),
    path("second-factor/codes/", second_factor_views.codes, name="account_recovery_codes"),
    path("sessions/", session_views.sessions, name="account_sessions"),
    path("sessions/end-others/", session_views.end_others, name="account_end_others"),
    path("sessions/<uuid:session_id>/end/", session_views.end, name="account_end_session"),
    path("signup/", views.no_sign_up, name="account_signup"),
]
