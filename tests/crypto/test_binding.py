"""A ciphertext opens in its own row, field, conversation and tenant, unchanged, and nowhere else."""

from __future__ import annotations

import uuid

import pytest
from cryptography.fernet import Fernet

from crypto.errors import SealBroken
from tests.crypto.conftest import make_note, token_of, write_token
from tests.crypto.models import Note


def reloaded(note: Note) -> Note:
    return Note.objects.get(pk=note.pk)


def assert_broken(note: Note) -> None:
    with pytest.raises(SealBroken) as caught:
        _ = reloaded(note).body
    shown = f"{caught.value!s} {caught.value!r} {caught.value.message} {caught.value.place}"
    assert "heron" not in shown
    assert "g1." not in shown
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("position", [3, 10, 22, 60, -2])
def test_a_changed_character_does_not_open(note: Note, position: int) -> None:
    token = token_of(note)
    changed = "B" if token[position] != "B" else "C"
    write_token(note, token[:position] + changed + token[position:][1:])
    assert_broken(note)


def test_every_bit_of_the_box_is_guarded(note: Note) -> None:
    field = Note._meta.get_field("body")
    stored = Note.objects.values_list("body", flat=True).get(pk=note.pk)
    token = stored.token()
    head, box = token[:20], token[20:]
    for index in range(len(box)):
        other = "B" if box[index] == "A" else "A"
        with pytest.raises(SealBroken):
            field.open(type(stored)(head + box[:index] + other + box[index + 1 :]), note)


def test_a_token_of_another_row_does_not_open(note: Note) -> None:
    other = make_note(tenant_id=note.tenant_id)
    Note.objects.filter(pk=other.pk).update(conversation_id=note.conversation_id)
    write_token(note, token_of(other))
    assert_broken(note)


def test_a_token_of_another_field_does_not_open(note: Note) -> None:
    write_token(note, token_of(note, "title"))
    assert_broken(note)


def test_a_row_moved_to_another_tenant_does_not_open(note: Note) -> None:
    other = make_note()
    Note.objects.filter(pk=note.pk).update(tenant_id=other.tenant_id)
    assert_broken(note)


def test_a_row_moved_to_another_conversation_does_not_open(note: Note) -> None:
    Note.objects.filter(pk=note.pk).update(conversation_id=uuid.uuid4())
    assert_broken(note)


def test_a_row_without_its_conversation_does_not_open(note: Note) -> None:
    Note.objects.filter(pk=note.pk).update(conversation_id=None)
    assert_broken(note)


def test_an_earlier_token_under_another_key_id_does_not_open(note: Note) -> None:
    other = make_note()
    token, theirs = token_of(note), token_of(other)
    write_token(note, token[:3] + theirs[3:19] + token[19:])
    assert_broken(note)


@pytest.mark.parametrize(
    "stored",
    [
        "plain text",
        "",
        "g1.",
        "g1.0123456789abcdef.",
        "g1.0123456789abcdef.AAAA",
        "g9.0123456789abcdef.AAAA",
        "g1.é.x",
    ],
)
def test_whatever_is_no_token_is_refused(note: Note, stored: str) -> None:
    write_token(note, stored)
    assert_broken(note)


def test_a_token_of_the_package_is_refused(note: Note) -> None:
    write_token(note, Fernet(Fernet.generate_key()).encrypt(b"heron").decode())
    assert_broken(note)
