"""Call identity providers, and nobody else: bounded in time and size, to permitted addresses only, never redirected.

The address that a name stands for is checked where the connection is made, so that a name that changes its mind
between check and use gains nothing. Every error is a requests.RequestException.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from accounts.sso.addresses import is_permitted, is_provider_url

CONNECT_S, READ_S = 3, 5
# For one call as a whole: a server that sends a byte now and then must not hold a sign-in for longer.
WHOLE_S = 8
MAX_ANSWER_BYTES = 512 * 1024


class CallRefused(requests.RequestException):
    """The portal does not make this call, or does not take the answer."""


class ProviderSession(requests.Session):
    """A session for one exchange with one provider; `ca_certificates` (PEM) replaces the system's where given.

    Raises CallRefused for an address that is not permitted, a redirect, and an answer that is too long.
    """

    def __init__(self, *, ca_certificates: str = "", whole_s: float = WHOLE_S) -> None:
        super().__init__()
        self.trust_env = False
        self._whole_s = whole_s
        self._watch = _Watch()
        self.headers["Accept-Encoding"] = "identity"
        adapter = _Adapter(self._watch, ssl.create_default_context(cadata=ca_certificates or None))
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        """Call and read the whole answer."""
        if not is_provider_url(str(url)):
            raise CallRefused("not an address of a provider")
        options |= {"allow_redirects": False, "timeout": (CONNECT_S, READ_S), "stream": True, "verify": True}
        with self._watch.until(self._whole_s):
            response = super().request(method, url, **options)
            response._content = _read(response)
        if self._watch.is_over:
            raise CallRefused("the answer took too long")
        if response.is_redirect:
            raise CallRefused("the answer is a redirect")
        return response


class _Watch:
    """Cuts the connections of a call when its time is over."""

    def __init__(self) -> None:
        self.is_over = False
        self._sockets: list[socket.socket] = []

    def add(self, connection: socket.socket) -> None:
        # TLS takes the socket over; a second handle on the same connection stays ours.
        self._sockets.append(connection.dup())

    @contextmanager
    def until(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    def _cut(self) -> None:
        self.is_over = True
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Adapter(HTTPAdapter):
    """Connects through `_connect`, and with one TLS context that always verifies."""

    def __init__(self, watch: _Watch, context: ssl.SSLContext) -> None:
        self._connection_watch, self._context = watch, context
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)
        watch = self._connection_watch

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self._dns_host, self.port, watch)

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self._dns_host, self.port, watch)

        plain = type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        encrypted = type("EncryptedPool", (HTTPSConnectionPool,), {"ConnectionCls": Encrypted})
        self.poolmanager.pool_classes_by_scheme = {"http": plain, "https": encrypted}

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        host, _pool = super().build_connection_pool_key_attributes(request, verify, cert)
        # Else requests would add its own list of authorities to the one that was configured.
        return host, {"cert_reqs": "CERT_REQUIRED", "ssl_context": self._context}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"


def _connect(host: str, port: int, watch: _Watch) -> socket.socket:
    """Connect to the first permitted address that answers. One that is not permitted is not tried."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CallRefused("the name is not known") from error
    addresses = [str(each[4][0]) for each in found]
    permitted = [each for each in addresses if is_permitted(ipaddress.ip_address(each.partition("%")[0]))]
    if not permitted:
        raise CallRefused("the address is not permitted")
    for address in permitted:
        try:
            connection = socket.create_connection((address, port), CONNECT_S)
        except OSError:
            continue
        watch.add(connection)
        return connection
    raise CallRefused("nobody answers there")


def _read(response: requests.Response) -> bytes:
    """Return the body, at most MAX_ANSWER_BYTES of it."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise CallRefused("the answer is packed")
    body = bytearray()
    try:
        while piece := response.raw.read1(65_536):
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise CallRefused("the answer is too long")
    except HTTPError as error:
        raise CallRefused("the answer broke off") from error
    finally:
        response.close()
    return bytes(body)
