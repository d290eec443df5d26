"""Route the address of an organisation and its ways of signing in."""

from __future__ import annotations

from django.urls import path
from django.views.decorators.http import require_http_methods

from accounts import views as account_views
from accounts.sso import views

urlpatterns = [
    path("o/", views.find_organisation, name="organisation_find"),
    path(
        "o/<slug:organisation>/",
        require_http_methods(["GET", "HEAD"])(account_views.sign_in),
        name="organisation_door",
    ),
    path("o/<slug:organisation>/in/<slug:code>/", views.start, name="sso_start"),
    path("o/<slug:organisation>/in/<slug:code>/callback/", views.callback, name="sso_callback"),
    path("o/<slug:organisation>/in/<slug:code>/logout/", views.logout, name="sso_logout"),
    path("o/<slug:organisation>/in/<slug:code>/frame/", views.logout_frame, name="sso_frame"),
    path("o/<slug:organisation>/in/<slug:code>/left/", views.left, name="sso_left"),
]
