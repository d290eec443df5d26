"""The envelope is unambiguous, padded, and opens only with the same place and key."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import envelope
from crypto.errors import SealBroken

KEY_ID = "0123456789abcdef"
CIPHER = AESGCM(bytes(range(32)))


def test_parts_with_moved_borders_are_different_bytes() -> None:
    lists = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"]]
    assert len({envelope.encode_parts(parts) for parts in lists}) == len(lists)


@pytest.mark.parametrize(
    ("length", "padded"), [(0, 64), (1, 64), (64, 64), (65, 72), (100, 104), (1000, 1024), (9_000, 9_216)]
)
def test_padding_follows_padme(length: int, padded: int) -> None:
    assert envelope.padded_length(length) == padded


def test_padding_never_shrinks_and_costs_at_most_an_eighth() -> None:
    for length in range(65, 20_000):
        assert length <= envelope.padded_length(length) <= length * 1.125


def test_place_and_key_must_match() -> None:
    token = envelope.seal(CIPHER, key_id=KEY_ID, clear=b"x", place=["a", "b"])
    parsed = envelope.parse(token)
    assert envelope.unseal(CIPHER, parsed, place=["a", "b"]) == b"x"
    for cipher, place in ((CIPHER, ["a", "c"]), (CIPHER, ["ab"]), (AESGCM(bytes(32)), ["a", "b"])):
        with pytest.raises(SealBroken):
            envelope.unseal(cipher, parsed, place=place)


def test_an_envelope_shows_nothing_of_itself() -> None:
    assert "box" not in repr(envelope.parse(envelope.seal(CIPHER, key_id=KEY_ID, clear=b"x", place=["a"])))
