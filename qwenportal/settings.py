"""Compose the portal out of its apps and of what docs/settings.md lets an operator set."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from common.config import load
from qwenportal.database import parse_database_url

BASE_DIR = Path(__file__).resolve().parent.parent
PORTAL = load(BASE_DIR)
PRODUCTION = PORTAL.mode == "production"

SECRET_KEY = PORTAL.secret_key
DEBUG = False
ALLOWED_HOSTS = PORTAL.allowed_hosts
CSRF_TRUSTED_ORIGINS = list(PORTAL.origins)
ROOT_URLCONF = "qwenportal.urls"
ASGI_APPLICATION = "qwenportal.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "qwenportal",  # first: the commands that it bars are Django's own, and the first of a name is taken
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.mfa",
    "axes",
    "channels",
    "csp",
    "encrypted_model_fields",
    "common",
    "crypto",
    "audit",
    "tenants",
    "accounts",
    "consent",
    "policy",
    "registry",
    "chat",
    "console",
]

MIDDLEWARE = [
    "qwenportal.middleware.CloseConnectionsMiddleware",
    "qwenportal.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "qwenportal.middleware.SecurityHeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "qwenportal.api.ApiMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.middleware.SessionUseMiddleware",
    "accounts.middleware.DutyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tenants.middleware.TenantScopeMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
    "qwenportal.middleware.PortalErrorMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "qwenportal.context.portal",
            ],
            "builtins": [
                "common.templatetags.portal",
                "django.templatetags.i18n",
                "django.templatetags.static",
            ],
        },
    }
]

# --- Data -----------------------------------------------------------------------------------------------------------
DATABASES = {"default": parse_database_url(PORTAL.database_url)}
CHANNEL_LAYERS: dict[str, Any] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if PORTAL.redis_url:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # Waiting for a message takes up to five seconds, which is also when the client would give the server up:
            # each socket that is idle so long would be closed. Thirty tell a Redis that hangs.
            "CONFIG": {"hosts": [{"address": PORTAL.redis_url, "socket_timeout": 30}]},
        }
    }
# django-encrypted-model-fields wants a Fernet key when it is imported. Our fields seal with the tenants' data keys and
# never with this one, so it is thrown away with the process: nothing could have been written with it.
FIELD_ENCRYPTION_KEY = Fernet.generate_key().decode()

# --- Sign-in --------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.backends.PortalBackend",
    "accounts.directory.backend.DirectoryBackend",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "chat:home"
LOGOUT_REDIRECT_URL = "account_login"
PASSWORD_HASHERS = ["accounts.hashing.PortalArgon2Hasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.password_policy.LengthBounds"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "accounts.password_policy.UnlikePerson"},
    {"NAME": "accounts.password_policy.NotBreached"},
]
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
SOCIALACCOUNT_ADAPTER = "accounts.sso.allauth_adapter.SocialAdapter"
ACCOUNT_FORMS = {"login": "accounts.forms.SignInForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = "handle"
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
# django-axes owns the lockout; two counters would disagree.
ACCOUNT_RATE_LIMITS: dict[str, Any] = {"login_failed": False, "login": False}

AXES_HANDLER = "accounts.lockout.LockoutHandler"
AXES_FAILURE_LIMIT = PORTAL.login_attempts
AXES_COOLOFF_TIME = timedelta(minutes=PORTAL.lockout_minutes)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
# Else everybody could keep an account locked for ever, and its row would grow with every attempt.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# By default axes would call it as the model does, "handle", and look for no failures where no form names anybody.
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "accounts.lockout.axes_username"
AXES_CLIENT_IP_CALLABLE = "accounts.lockout.axes_client_ip"
AXES_CLIENT_STR_CALLABLE = "accounts.lockout.axes_client_str"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.show_lockout"
AXES_SENSITIVE_PARAMETERS = ["username", "login", "organisation", "password", "ip_address"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

SESSION_ENGINE = "accounts.session_store"
SESSION_COOKIE_NAME = "portal_session"
# How long the browser keeps the cookie; accounts.session_store says how long it opens anything.
SESSION_COOKIE_AGE = PORTAL.session_hours * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_NAME = "portal_csrf"
CSRF_FAILURE_VIEW = "qwenportal.views.csrf_failed"

# --- The wire -------------------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
# "no-referrer" would make browsers send `Origin: null` with our own forms, which the CSRF check rightly refuses.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
# The portal's own host only: its neighbours on the organisation's domain are not ours to bind. Hence no preload either.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
if PORTAL.trusted_proxies:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100

# --- Words ----------------------------------------------------------------------------------------------------------
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LANGUAGE_CODE = PORTAL.language
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "portal_language"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = USE_TZ = True
TIME_ZONE = PORTAL.timezone

STATIC_URL = "/static/"
STATIC_ROOT = PORTAL.data_dir / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "qwenportal.staticfiles.PortalStaticStorage"},
}
SERVESTATIC_USE_MANIFEST = False

# What people say is no business of the log: only our own lines and errors, and no request data in either.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"no_content": {"()": "qwenportal.logs.WithoutContent"}},
    "formatters": {"line": {"()": "qwenportal.logs.LineFormatter"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["no_content"]},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "portal": {"level": "INFO"},
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "axes": {"level": "CRITICAL"},
        "daphne": {"level": "ERROR"},
    },
}
