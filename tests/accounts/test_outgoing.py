"""The portal calls providers only: over TLS, at permitted addresses, for a bounded time, and takes no redirect."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ValidationError
from pytest_django import Settings

from accounts.sso.addresses import clean_url, is_permitted, is_provider_url
from accounts.sso.outgoing import CallRefused, ProviderSession


class Hostile(BaseHTTPRequestHandler):
    """A server that does what a provider should not."""

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):
            getattr(self, self.path.strip("/"))()

    def log_message(self, *_: object) -> None:
        pass

    def _begin(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def good(self) -> None:
        self._begin(Content_Length="4")
        self.wfile.write(b"good")

    def elsewhere(self) -> None:
        self._begin(302, Location="/good", Content_Length="0")

    def endless(self) -> None:
        self._begin()
        while True:
            self.wfile.write(b"x" * 65_536)

    def drip(self) -> None:
        self._begin()
        while True:
            self.wfile.write(b"x")
            time.sleep(0.05)

    def drip_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-More: x\r\n")
            time.sleep(0.05)

    def packed(self) -> None:
        self._begin(Content_Encoding="gzip")
        self.wfile.write(b"\x1f\x8b")


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_answer_is_read_whole(hostile: str) -> None:
    assert ProviderSession().get(f"{hostile}/good").text == "good"


@pytest.mark.parametrize("path", ["elsewhere", "endless", "packed"])
def test_redirects_and_answers_without_end_are_refused(path: str, hostile: str) -> None:
    with pytest.raises(CallRefused):
        ProviderSession().get(f"{hostile}/{path}")


@pytest.mark.parametrize("path", ["drip", "drip_headers"])
def test_a_server_that_drips_does_not_hold_the_call(path: str, hostile: str) -> None:
    """Each byte comes in time, so that no time-out of a single read ends it."""
    before = time.monotonic()
    with pytest.raises(CallRefused, match="took too long"):
        ProviderSession(whole_s=0.5).get(f"{hostile}/{path}")
    assert time.monotonic() - before < 10


def test_a_proxy_of_the_environment_is_not_asked(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert ProviderSession().get(f"{hostile}/good").status_code == 200


def test_this_machine_is_out_of_reach_in_production(hostile: str, settings: Settings) -> None:
    settings.PORTAL = replace(settings.PORTAL, mode="production")
    assert not is_provider_url(hostile)
    for address in (
        hostile.replace("http:", "https:"),
        hostile.replace("http://127.0.0.1", "https://localhost"),
    ):
        with pytest.raises(requests.RequestException, match="not permitted"):
            ProviderSession().get(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",  # noqa: S104 (an address that must be refused)
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "100.100.100.200",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::ffff:100.100.100.200",
    ],
)
def test_what_is_no_ordinary_host_is_never_called(address: str) -> None:
    assert not is_permitted(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(requests.RequestException, match="not permitted"):
        ProviderSession().get(f"https://{host}/")


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.7.7", "172.16.0.9", "fd12::1", "203.0.113.5"])
def test_private_networks_are_where_providers_live(address: str) -> None:
    assert is_permitted(ipaddress.ip_address(address))


def test_a_name_that_stands_for_a_forbidden_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checked where the connection is made: a name may answer differently each time."""
    answer = [(2, 1, 6, "", ("169.254.169.254", 443))]
    monkeypatch.setattr("accounts.sso.outgoing.socket.getaddrinfo", lambda *_a, **_k: answer)
    with pytest.raises(requests.RequestException, match="not permitted"):
        ProviderSession().get("https://sso.example.org/")


@pytest.mark.parametrize(
    "text",
    [
        "http://sso.example.org/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.org/",
        "https://",
        "https://user:word@sso.example.org/",
        "https://user@sso.example.org/",
        "https://sso.example.org/#there",
        "https://sso.example.org/?next=there",
        "https://sso.example.org:99999/",
        "https://sso.example.org/\\there",
        "https://sso.example.org/ there",
        "ftp://sso.example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//sso.example.org/",
        "https://sso.example.org/" + "x" * 500,
    ],
)
def test_an_address_of_a_provider_is_plain_and_encrypted(text: str) -> None:
    with pytest.raises(ValidationError):
        clean_url(text)


def make_certificate(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sso")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(pem + secret)
    return pem.decode(), str(folder / "both.pem")


def test_a_certificate_is_verified_and_only_the_named_authority_counts(tmp_path: Path) -> None:
    pem, both = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://127.0.0.1:{server.server_port}/good"
        assert ProviderSession(ca_certificates=pem).get(address).text == "good"
        for session in (ProviderSession(), ProviderSession(ca_certificates=make_certificate(tmp_path)[0])):
            with pytest.raises(requests.exceptions.SSLError):
                session.get(address, verify=False)
        with pytest.raises(requests.exceptions.SSLError):
            ProviderSession(ca_certificates=pem).get(address.replace("127.0.0.1", "localhost"))
        server.shutdown()
