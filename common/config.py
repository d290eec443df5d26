"""Read the portal's settings once, typed.

`docs/settings.md` documents each; a setting that is missing there fails the test suite.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import quote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from common.environment import Environment
from common.secrets import read_or_create_secret

Mode = Literal["embedded", "production"]
EngineChoice = Literal["auto", "native", "llamacpp", "ctransformers", "scripted"]
Sandbox = Literal["strict", "best-effort"]
Standby = Literal["auto", "on", "off"]

SECRET_KEY_LENGTH = 50
# Those of accounts.roles, which is floors above.
ROLES = ("member", "admin", "officer", "auditor", "operator")
SYSTEM_PROMPT = "You are a helpful assistant. Answer briefly and truthfully, in the language of the question."


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSettings:
    """Every setting of the portal, validated. Times are in the unit that the name ends with."""

    mode: Mode
    data_dir: Path
    host: str
    port: int
    origins: tuple[str, ...]
    trusted_proxies: int
    secret_key: str
    database_url: str
    redis_url: str
    language: str
    timezone: str
    model_path: Path | None
    model_signatures: Literal["required", "optional"]
    model_keys: Path | None
    model_scan_hours: int
    engine: EngineChoice
    scripted_ms: int
    sandbox: Sandbox
    slots: int
    prefix_cache_mib: int
    threads: int
    context_tokens: int
    worker_memory_mib: int
    max_prompt_tokens: int
    max_new_tokens: int
    max_prompt_chars: int
    rate_per_minute: int
    running_per_person: int
    queue_length: int
    queue_timeout_s: int
    wall_time_s: int
    hang_s: int
    standby: Standby
    recycle_hour: int
    recycle_turns: int
    worker_soft_mib: int
    resume_grace_s: int
    policy_file: Path | None
    policy_budget_ms: int
    system_prompt: str
    session_hours: int
    idle_minutes: int
    sessions_per_person: int
    second_factor_roles: tuple[str, ...]
    recent_minutes: int
    login_attempts: int
    identity: str
    directory_ports: tuple[int, ...]
    directory_check_minutes: int
    lockout_minutes: int
    password_length: int
    temporary_password_hours: int
    invitation_hours: int
    token_days: int
    api_per_minute: int
    breached_passwords: Path | None

    @property
    def keys_dir(self) -> Path:
        """Where key files live: 0700, one file per purpose."""
        return self.data_dir / "keys"

    @property
    def models_dir(self) -> Path:
        """Where imported models live, by digest."""
        return self.data_dir / "models"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the portal: it listens on loopback and is known by no other address."""
        names = {self.host, *(urlsplit(origin).hostname or "" for origin in self.origins)}
        return not self.trusted_proxies and all(map(_is_loopback, names))

    @property
    def allowed_hosts(self) -> list[str]:
        """Host names of the portal's own addresses, and loopback, which health checks use."""
        return [
            *{urlsplit(origin).hostname or "" for origin in self.origins},
            "127.0.0.1",
            "localhost",
            "[::1]",
        ]


def load(root: Path, *, environment: Environment | None = None) -> PortalSettings:
    """Return the settings of this process; `root` is the folder of manage.py.

    Raises ImproperlyConfigured, with one line that names the setting, for a missing or malformed value and for a name
    that begins like ours and is none of them: most likely a limit that somebody believes to be in force.
    """
    env = environment or environment_of(root)
    portal = _load(root, env)
    env.refuse_unknown(prefix="PORTAL_", known=("PORTAL_SETTINGS_FILE",))
    return portal


def _load(root: Path, env: Environment) -> PortalSettings:
    mode = cast(Mode, env.choice("PORTAL_MODE", choices=("embedded", "production"), default="embedded"))
    data_dir = env.path("PORTAL_DATA_DIR", default=root / "var")
    host = env.text("PORTAL_HOST", default="127.0.0.1")
    port = env.integer("PORTAL_PORT", default=8000, low=1, high=65535)
    return PortalSettings(
        mode=mode,
        data_dir=data_dir,
        host=host,
        port=port,
        origins=_origins(env, mode=mode, host=host, port=port),
        trusted_proxies=env.integer("PORTAL_TRUSTED_PROXIES", default=0, low=0, high=5),
        secret_key=_secret_key(env, mode=mode, keys_dir=data_dir / "keys"),
        database_url=env.text("DATABASE_URL", default=f"sqlite:///{quote(str(data_dir / 'portal.sqlite3'))}"),
        redis_url=env.text("REDIS_URL"),
        language=env.choice("PORTAL_LANGUAGE", choices=("zh-hans", "en"), default="zh-hans"),
        timezone=env.text("PORTAL_TIME_ZONE", default="Asia/Shanghai"),
        model_path=_optional_path(env.text("PORTAL_MODEL")),
        model_signatures=_model_signatures(env, mode=mode),
        model_keys=_optional_path(env.text("PORTAL_MODEL_KEYS")),
        model_scan_hours=env.integer("PORTAL_MODEL_SCAN_HOURS", default=24, low=0, high=720),
        max_prompt_chars=env.integer("PORTAL_MAX_PROMPT_CHARS", default=8000, low=1, high=100_000),
        rate_per_minute=env.integer("PORTAL_RATE_PER_MINUTE", default=5, low=1, high=6000),
        running_per_person=env.integer("PORTAL_RUNNING_PER_PERSON", default=1, low=1, high=16),
        queue_length=env.integer("PORTAL_QUEUE_LENGTH", default=64, low=0, high=10_000),
        queue_timeout_s=env.integer("PORTAL_QUEUE_TIMEOUT_S", default=60, low=1, high=3600),
        resume_grace_s=env.integer("PORTAL_RESUME_GRACE_S", default=30, low=1, high=600),
        policy_file=_optional_path(env.text("PORTAL_POLICY_FILE")),
        policy_budget_ms=env.integer("PORTAL_POLICY_BUDGET_MS", default=250, low=10, high=60_000),
        **_sessions(env),
        identity=env.secret("PORTAL_IDENTITY"),
        directory_ports=_ports(env),
        directory_check_minutes=env.integer("PORTAL_DIRECTORY_CHECK_MINUTES", default=15, low=0, high=1440),
        login_attempts=env.integer("PORTAL_LOGIN_ATTEMPTS", default=5, low=1, high=100),
        lockout_minutes=env.integer("PORTAL_LOCKOUT_MINUTES", default=15, low=1, high=1440),
        **_passwords(env),
        **_engine(env, mode=mode),
    )


def _sessions(env: Environment) -> dict[str, Any]:
    """Return the settings of sessions and second factors, by field."""
    roles = env.words("PORTAL_SECOND_FACTOR_ROLES")
    if unknown := sorted(set(roles) - set(ROLES)):
        raise ImproperlyConfigured(f"PORTAL_SECOND_FACTOR_ROLES: there is no role {unknown[0]}")
    return {
        "session_hours": env.integer("PORTAL_SESSION_HOURS", default=12, low=1, high=720),
        "idle_minutes": env.integer("PORTAL_IDLE_MINUTES", default=60, low=1, high=1440),
        "sessions_per_person": env.integer("PORTAL_SESSIONS_PER_PERSON", default=10, low=1, high=1000),
        "second_factor_roles": roles,
        "recent_minutes": env.integer("PORTAL_RECENT_MINUTES", default=10, low=1, high=60),
    }


def _passwords(env: Environment) -> dict[str, Any]:
    """Return the settings of passwords, by field."""
    return {
        "password_length": env.integer("PORTAL_PASSWORD_LENGTH", default=10, low=8, high=64),
        "temporary_password_hours": env.integer(
            "PORTAL_TEMPORARY_PASSWORD_HOURS", default=72, low=1, high=720
        ),
        "token_days": env.integer("PORTAL_TOKEN_DAYS", default=90, low=1, high=366),
        "api_per_minute": env.integer("PORTAL_API_PER_MINUTE", default=60, low=1, high=60_000),
        "invitation_hours": env.integer("PORTAL_INVITATION_HOURS", default=72, low=1, high=720),
        "breached_passwords": _optional_path(env.text("PORTAL_BREACHED_PASSWORDS")),
    }


def _engine(env: Environment, *, mode: Mode) -> dict[str, Any]:
    """Return the settings of the engine and its workers, by field."""
    engine = env.choice("PORTAL_ENGINE", choices=get_args(EngineChoice), default="auto")
    return {
        "engine": cast(EngineChoice, engine),
        "sandbox": _sandbox(env, mode=mode),
        "scripted_ms": env.integer("PORTAL_SCRIPTED_MS", default=20, low=0, high=10_000),
        "slots": env.integer("PORTAL_SLOTS", default=4, low=1, high=16),
        "prefix_cache_mib": env.integer("PORTAL_PREFIX_CACHE_MIB", default=0, low=0, high=65_536),
        "threads": env.integer("PORTAL_THREADS", default=0, low=0, high=256),
        "context_tokens": env.integer("PORTAL_CONTEXT_TOKENS", default=4096, low=512, high=32_768),
        "worker_memory_mib": env.integer("PORTAL_WORKER_MEMORY_MIB", default=0, low=0, high=65_536),
        "max_prompt_tokens": env.integer("PORTAL_MAX_PROMPT_TOKENS", default=0, low=0, high=32_768),
        "max_new_tokens": env.integer("PORTAL_MAX_NEW_TOKENS", default=512, low=1, high=4096),
        "wall_time_s": env.integer("PORTAL_WALL_TIME_S", default=180, low=5, high=3600),
        "hang_s": env.integer("PORTAL_HANG_S", default=30, low=5, high=600),
        "standby": _standby(env),
        "recycle_hour": env.integer("PORTAL_RECYCLE_HOUR", default=3, low=-1, high=23),
        "recycle_turns": env.integer("PORTAL_RECYCLE_TURNS", default=5000, low=0, high=10_000_000),
        "worker_soft_mib": env.integer("PORTAL_WORKER_SOFT_MIB", default=0, low=0, high=65_536),
        "system_prompt": env.text("PORTAL_SYSTEM_PROMPT", default=SYSTEM_PROMPT),
    }


def environment_of(root: Path) -> Environment:
    """Return the environment of this process with its settings file; `root` is the folder of manage.py."""
    plain = Environment()
    data_dir = plain.path("PORTAL_DATA_DIR", default=root / "var")
    return Environment(file=plain.path("PORTAL_SETTINGS_FILE", default=data_dir / "portal.env"))


def _optional_path(text: str) -> Path | None:
    return Path(text).expanduser().resolve() if text else None


def _ports(env: Environment) -> tuple[int, ...]:
    """Return the ports on which directories may be reached; none named means any."""
    words = env.words("PORTAL_DIRECTORY_PORTS", default=("389", "636", "3268", "3269"))
    if words == ("any",):
        return ()
    if not all(word.isascii() and word.isdigit() and 0 < int(word) < 65_536 for word in words):
        raise ImproperlyConfigured("PORTAL_DIRECTORY_PORTS must be ports, separated by commas, or any")
    return tuple(int(word) for word in words)


def _standby(env: Environment) -> Standby:
    return cast(Standby, env.choice("PORTAL_STANDBY", choices=get_args(Standby), default="auto"))


def _model_signatures(env: Environment, *, mode: Mode) -> Literal["required", "optional"]:
    """Return whether somebody must vouch for a model file; in production yes, unless the operator says otherwise."""
    default = "required" if mode == "production" else "optional"
    value = env.choice("PORTAL_MODEL_SIGNATURES", choices=("required", "optional"), default=default)
    return cast(Literal["required", "optional"], value)


def _sandbox(env: Environment, *, mode: Mode) -> Sandbox:
    """Return what happens where a layer of the worker's sandbox is missing; in production no model is loaded then."""
    default = "strict" if mode == "production" else "best-effort"
    return cast(Sandbox, env.choice("PORTAL_SANDBOX", choices=("strict", "best-effort"), default=default))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _origins(env: Environment, *, mode: Mode, host: str, port: int) -> tuple[str, ...]:
    """Return the addresses that browsers may use; production must name its own."""
    origins = tuple(origin.rstrip("/") for origin in env.words("PORTAL_ORIGINS"))
    if not all(_is_origin(origin) for origin in origins):
        raise ImproperlyConfigured("PORTAL_ORIGINS must be addresses like https://chat.example.org")
    if mode == "embedded":
        local = f"[{host}]" if ":" in host else host
        return origins or (f"http://{local}:{port}", f"http://localhost:{port}")
    if not origins or not all(origin.startswith("https://") for origin in origins):
        raise ImproperlyConfigured("PORTAL_ORIGINS must name the portal's https:// address in production")
    return origins


def _is_origin(text: str) -> bool:
    """Return whether this is scheme, host and maybe port, and nothing else."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return is_web and "*" not in parts.netloc and text == f"{parts.scheme}://{parts.netloc}"


def _secret_key(env: Environment, *, mode: Mode, keys_dir: Path) -> str:
    """Return the key that signs sessions; the embedded default makes its own, production must be given one."""
    key = env.secret("PORTAL_SECRET_KEY")
    if not key and mode == "embedded":
        return read_or_create_secret(keys_dir / "session-signing.key")
    if len(key) < SECRET_KEY_LENGTH or len(set(key)) < 10 or key.startswith("django-insecure"):
        raise ImproperlyConfigured(
            f"PORTAL_SECRET_KEY must be at least {SECRET_KEY_LENGTH} random characters"
        )
    return key
