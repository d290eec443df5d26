"""A request body beyond the limit is refused while it arrives, announced or not."""

from __future__ import annotations

import socket

import pytest

from tests.client import Client
from tests.portal import PortalProcess

HEAD = b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.mark.parametrize(
    ("headers", "part"),
    [(b"Content-Length: 10000000000\r\n\r\n", b"x" * 65_536), (b"Transfer-Encoding: chunked\r\n\r\n", b"")],
    ids=["announced", "chunked"],
)
def test_a_large_body_ends_the_connection_with_413(
    fast_portal: PortalProcess, headers: bytes, part: bytes
) -> None:
    chunk = part or b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", fast_portal.port), timeout=10) as connection:
        connection.sendall(HEAD + headers)
        sent = 0
        try:
            while sent < 64 << 20:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
        assert sent < 64 << 20
    assert Client(fast_portal.url).get("/healthz").status == 200


def test_a_form_within_the_limit_is_read(fast_portal: PortalProcess) -> None:
    client = Client(fast_portal.url)
    page = client.post("/accounts/login/", organisation="demo", login="member", password="x" * 200)
    assert page.status == 200
