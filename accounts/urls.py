"""Route sign-in and sign-out: allauth's views, and only these two of them."""

from __future__ import annotations

from allauth.account import views as allauth_views
from django.urls import path
from django.views.decorators.http import require_http_methods

from accounts import invitation_views, password_views, views

urlpatterns = [
    path("login/", require_http_methods(["GET", "HEAD", "POST"])(allauth_views.login), name="account_login"),
    path("logout/", views.sign_out, name="account_logout"),
    path("password/", password_views.password, name="account_password"),
    path("invitation/", invitation_views.join, name="account_invitation"),
    path("invitation/<uuid:account_id>/<str:token>/", invitation_views.enter, name="account_invited"),
    path("signup/", views.no_sign_up, name="account_signup"),
]
