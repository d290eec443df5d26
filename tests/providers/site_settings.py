"""Compose the site of identity providers: allauth's OpenID provider and django-cas-server, over one list of people."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(os.environ["PROVIDERS_DIR"])

SECRET_KEY = "of the providers in the tests; it guards nothing"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "tests.providers.site_urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
STATIC_URL = "/static/"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "providers.sqlite3",
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.idp.oidc",
    "cas_server",
]
# Tables are made from the models as they are: their history takes ten times as long.
MIGRATION_MODULES = dict.fromkeys(
    ("auth", "contenttypes", "sessions", "account", "allauth_idp_oidc", "cas_server")
)
MIDDLEWARE = [
    "tests.providers.site_people.TwistMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LANGUAGE_CODE = "en"
# Portal and providers share the host 127.0.0.1 in tests, and cookies do not know of ports.
SESSION_COOKIE_NAME = "providers_session"
CSRF_COOKIE_NAME = "providers_csrf"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
ACCOUNT_RATE_LIMITS = False
ACCOUNT_EMAIL_VERIFICATION = "none"

IDP_OIDC_ADAPTER = "tests.providers.site_people.Adapter"
IDP_OIDC_PRIVATE_KEY = (FOLDER / "key.pem").read_text() if (FOLDER / "key.pem").exists() else ""
IDP_OIDC_RATE_LIMITS = False

CAS_AUTH_CLASS = "tests.providers.site_people.CasPerson"
CAS_NEW_VERSION_HTML_WARNING = CAS_NEW_VERSION_EMAIL_WARNING = False
CAS_COMPONENT_URLS = dict.fromkeys(
    ("bootstrap3_css", "bootstrap3_js", "bootstrap4_css", "bootstrap4_js", "html5shiv", "respond", "jquery"),
    "/static/none",
)
