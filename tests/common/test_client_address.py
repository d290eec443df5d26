"""The client's address is counted from the right: what is further left, the client may have written."""

from __future__ import annotations

import pytest

from common.client import client_ip


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "expected"),
    [
        ("198.51.100.7", "", 0, "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", 0, "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9", 1, "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", 1, "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1,2.2.2.2 ,203.0.113.9, 10.0.0.2", 2, "203.0.113.9"),
        ("10.0.0.1", "", 1, None),
        ("10.0.0.1", "203.0.113.9", 2, None),
        ("10.0.0.1", " , ,", 1, None),
        ("10.0.0.1", "203.0.113.9, evil", 1, None),
        ("10.0.0.1", "203.0.113.9, unknown", 1, None),
        ("10.0.0.1", "203.0.113.9:1234", 1, None),
        ("10.0.0.1", "x" * 10_000, 1, None),
        ("", "", 0, None),
        ("testclient", "", 0, None),
        ("2001:DB8::1", "", 0, "2001:db8::1"),
        ("10.0.0.1", "2001:db8:0:0::7", 1, "2001:db8::7"),
    ],
)
def test_an_address_is_believed_only_from_our_own_proxies(
    remote: str, forwarded: str, proxies: int, expected: str | None
) -> None:
    assert client_ip(remote=remote, forwarded_for=forwarded, trusted_proxies=proxies) == expected
