"""Settings are read typed, from the environment before the file, and no message ever shows a value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from common.config import PortalSettings, load
from common.environment import Environment, read_settings_file
from qwenportal.database import parse_database_url

SECRET = "hunter2-" + "k3y" * 20
GOOD_KEY = "".join(chr(ord("!") + (7 * n) % 90) for n in range(60)).replace("$", "s")


def settings(tmp_path: Path, **environ: str) -> PortalSettings:
    return load(
        tmp_path, environment=Environment(environ={"PORTAL_DATA_DIR": str(tmp_path / "data")} | environ)
    )


def message(ask: Callable[[], object]) -> str:
    with pytest.raises(ImproperlyConfigured) as refused:
        ask()
    return str(refused.value)


def test_a_settings_file_has_pairs_comments_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "portal.env"
    path.write_text("# comment\n\n A = one two \nB='quoted'\nC=\"x=y#z\"\nD=\n")
    assert read_settings_file(path) == {"A": "one two", "B": "quoted", "C": "x=y#z", "D": ""}
    assert read_settings_file(tmp_path / "absent") == {}


@pytest.mark.parametrize("line", ["export A=1", SECRET, "=x", "1A=x", "A B=x"])
def test_a_malformed_line_is_named_by_its_number_and_never_shown(line: str, tmp_path: Path) -> None:
    path = tmp_path / "portal.env"
    path.write_text(f"A=1\n{line}\n")
    said = message(lambda: read_settings_file(path))
    assert "line 2" in said
    assert SECRET not in said


def test_a_settings_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "portal.env"
    path.write_bytes(b"A=\xff\xfe")
    assert "portal.env" in message(lambda: read_settings_file(path))


def test_the_environment_wins_and_an_empty_value_is_none(tmp_path: Path) -> None:
    path = tmp_path / "portal.env"
    path.write_text("A=file\nB=file\n")
    env = Environment(environ={"A": "environment", "B": "  ", "C": ""}, file=path)
    assert (env.text("A"), env.text("B"), env.text("C", default="default")) == (
        "environment",
        "file",
        "default",
    )


def test_a_secret_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    assert Environment(environ={"KEY_FILE": str(path)}).secret("KEY") == SECRET
    assert Environment(environ={"KEY_FILE": str(path), "KEY": "direct"}).secret("KEY") == "direct"
    assert Environment(environ={}).secret("KEY") == ""


@pytest.mark.parametrize("content", [None, SECRET.encode() + b"\xff"])
def test_a_secret_file_that_cannot_be_read_stops_without_showing_it(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    if content:
        path.write_bytes(content)
    env = Environment(environ={"KEY_FILE": str(path)})
    with pytest.raises(ImproperlyConfigured, match="KEY_FILE") as refused:
        env.secret("KEY")
    chain = [refused.value, refused.value.__cause__]
    assert not any(SECRET in repr(error) or SECRET in str(getattr(error, "object", "")) for error in chain)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_PORT", SECRET),
        ("PORTAL_PORT", "0"),
        ("PORTAL_PORT", "65536"),
        ("PORTAL_PORT", "8000.5"),
        ("PORTAL_PORT", "0x1F"),
        ("PORTAL_MODE", SECRET),
        ("PORTAL_MODE", "Production"),
        ("PORTAL_LANGUAGE", SECRET),
        ("PORTAL_ENGINE", SECRET),
        ("PORTAL_SLOTS", "-1"),
        ("PORTAL_RATE_PER_MINUTE", "0"),
        ("PORTAL_CONTEXT_TOKENS", "1e9"),
        ("PORTAL_TRUSTED_PROXIES", "99"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name_and_never_shown(
    name: str, value: str, tmp_path: Path
) -> None:
    said = message(lambda: settings(tmp_path, **{name: value}))
    assert name in said
    assert "\n" not in said
    assert value not in said.replace(name, "").replace("0 to", "").replace("from 0", "") or len(value) < 3


@pytest.mark.parametrize("name", ["PORTAL_RATE_PER_MINUT", "PORTAL_", "PORTAL_SANDBOXED", "PORTAL_PORT_FILE"])
@pytest.mark.parametrize("in_file", [True, False])
def test_a_name_that_begins_like_ours_and_is_none_is_refused_by_name(
    name: str, in_file: bool, tmp_path: Path
) -> None:
    file = tmp_path / "portal.env"
    file.write_text(f"{name}={SECRET}\nPORTAL_SLOTS=2\nOTHER=1\n" if in_file else "")
    environ = {"PORTAL_DATA_DIR": str(tmp_path / "data"), "PORTAL_SETTINGS_FILE": str(file), "HOME": "/"}
    said = message(
        lambda: load(
            tmp_path,
            environment=Environment(environ=environ if in_file else environ | {name: SECRET}, file=file),
        )
    )
    assert said.startswith(f"{name}: ")
    assert "\n" not in said
    assert SECRET not in said


def test_every_name_that_the_portal_reads_may_be_set(tmp_path: Path) -> None:
    file, secret = tmp_path / "portal.env", tmp_path / "secret"
    file.write_text("PORTAL_SLOTS=2\nQUICKSTART_PASSWORD=x\n")
    secret.write_text(GOOD_KEY)
    environ = {
        "PORTAL_DATA_DIR": str(tmp_path / "data"),
        "PORTAL_SETTINGS_FILE": str(file),
        "PORTAL_SECRET_KEY_FILE": str(secret),
    }
    for more in ({}, {"PORTAL_SECRET_KEY": GOOD_KEY}):
        portal = load(tmp_path, environment=Environment(environ=environ | more, file=file))
        assert (portal.slots, portal.secret_key) == (2, GOOD_KEY)


def test_the_sandbox_is_strict_in_production_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    production = {
        "PORTAL_MODE": "production",
        "PORTAL_ORIGINS": "https://chat.example",
        "PORTAL_SECRET_KEY": GOOD_KEY,
    }
    assert settings(tmp_path).sandbox == "best-effort"
    assert settings(tmp_path, PORTAL_SANDBOX="strict").sandbox == "strict"
    assert settings(tmp_path, **production).sandbox == "strict"
    assert settings(tmp_path, **production, PORTAL_SANDBOX="best-effort").sandbox == "best-effort"
    assert "PORTAL_SANDBOX" in message(lambda: settings(tmp_path, PORTAL_SANDBOX="none"))


@pytest.mark.parametrize(
    ("environ", "local"),
    [
        ({}, True),
        ({"PORTAL_HOST": "::1"}, True),
        ({"PORTAL_HOST": "127.0.0.2"}, True),
        ({"PORTAL_HOST": "0.0.0.0"}, False),  # noqa: S104 (the case in question)
        ({"PORTAL_HOST": "::"}, False),
        ({"PORTAL_HOST": "192.0.2.1"}, False),
        ({"PORTAL_HOST": "portal"}, False),
        ({"PORTAL_ORIGINS": "http://localhost:8000"}, True),
        ({"PORTAL_ORIGINS": "http://localhost:8000,https://chat.example"}, False),
        ({"PORTAL_TRUSTED_PROXIES": "1"}, False),
    ],
)
def test_a_portal_that_others_can_reach_is_not_local(
    environ: dict[str, str], local: bool, tmp_path: Path
) -> None:
    assert settings(tmp_path, **environ).is_local is local


def test_the_defaults_make_an_embedded_portal_on_loopback(tmp_path: Path) -> None:
    portal = settings(tmp_path)
    assert (portal.mode, portal.host, portal.port) == ("embedded", "127.0.0.1", 8000)
    assert portal.origins == ("http://127.0.0.1:8000", "http://localhost:8000")
    assert len(portal.secret_key) >= 50
    assert settings(tmp_path).secret_key == portal.secret_key
    assert portal.keys_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("folder", ["with blank", "with#hash", "with?mark", "with%20percent", "中文"])
def test_the_database_lies_in_the_data_folder_whatever_its_name(folder: str, tmp_path: Path) -> None:
    portal = load(tmp_path, environment=Environment(environ={"PORTAL_DATA_DIR": str(tmp_path / folder)}))
    assert parse_database_url(portal.database_url)["NAME"] == str(tmp_path / folder / "portal.sqlite3")


@pytest.mark.parametrize(
    "key", ["", "short", "x" * 60, "abcabcabc" * 8, "django-insecure-" + GOOD_KEY, GOOD_KEY[:49]]
)
def test_production_needs_a_random_key_of_its_own(key: str, tmp_path: Path) -> None:
    good = {
        "PORTAL_MODE": "production",
        "PORTAL_ORIGINS": "https://chat.example",
        "PORTAL_SECRET_KEY": GOOD_KEY,
    }
    assert settings(tmp_path, **good).secret_key == GOOD_KEY
    said = message(lambda: settings(tmp_path, **good | {"PORTAL_SECRET_KEY": key}))
    assert "PORTAL_SECRET_KEY" in said
    assert not key or key not in said
    assert not (tmp_path / "data" / "keys").exists()


@pytest.mark.parametrize(
    "origins",
    [
        "",
        "http://chat.example",
        "https://chat.example,http://chat.example",
        "chat.example",
        "https://",
        "https://*",
        "https://a/b",
        "https://a:x",
    ],
)
def test_production_needs_its_own_https_address(origins: str, tmp_path: Path) -> None:
    environ = {"PORTAL_MODE": "production", "PORTAL_SECRET_KEY": GOOD_KEY, "PORTAL_ORIGINS": origins}
    assert "PORTAL_ORIGINS" in message(lambda: settings(tmp_path, **environ))


def test_the_hosts_are_those_of_the_origins_and_loopback(tmp_path: Path) -> None:
    portal = settings(tmp_path, PORTAL_ORIGINS="https://chat.example:8443, https://二.example")
    assert set(portal.allowed_hosts) == {"chat.example", "二.example", "127.0.0.1", "localhost", "[::1]"}
    assert "" not in portal.allowed_hosts
    assert "*" not in portal.allowed_hosts


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hunter2@host/db",
        "hunter2",
        "postgresql://user:hunter2/x@host/db",
        "postgresql://user:hunter2@host:port/db",
        "postgresql://user:hunter2@[::1/db",
        "postgresql://user:hunter2@host:99999/db",
        "postgresql://u:hunter2\u2100@host/db",
    ],
)
def test_a_malformed_database_url_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as refused:
        parse_database_url(url)
    assert "hunter2" not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_database_url_is_taken_apart() -> None:
    parts = parse_database_url("postgresql://us%40er:p%2Fw@db.example:5433/na%20me")
    assert (parts["USER"], parts["PASSWORD"], parts["HOST"], parts["PORT"], parts["NAME"]) == (
        "us@er", "p/w", "db.example", "5433", "na me",
    )  # fmt: skip
    assert parse_database_url("sqlite:////data/portal.sqlite3")["NAME"] == "/data/portal.sqlite3"
