"""Route every address of the portal."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from qwenportal import views

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("accounts/", include("accounts.urls")),
    path("", include("accounts.sso.urls")),
    path("consent/", include("consent.urls")),
    path("audit/", include("audit.urls")),
    path("console/", include("console.urls")),
    path("i18n/setlang/", login_not_required(require_POST(set_language)), name="set_language"),
    path("", include("chat.urls")),
]

handler400 = "qwenportal.views.bad_request"
handler403 = "qwenportal.views.csrf_failed"
handler404 = "qwenportal.views.page_not_found"
handler500 = "qwenportal.views.server_error"
