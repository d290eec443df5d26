"""Every way around a sealed field is closed."""

from __future__ import annotations

import copy
import pickle
import uuid

import pytest
from django.core import serializers
from django.db import models, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Upper
from django.forms import modelform_factory
from django.forms.models import model_to_dict

from crypto.errors import SealBroken, SealedExport, SealedLookup, UnsealedWrite
from crypto.fields import Sealed, SealedTextField
from tests.crypto.conftest import make_note, token_of, write_token
from tests.crypto.models import Note

TEXT = "heron at the river"


def test_text_comes_back_as_it_was_written(note: Note) -> None:
    loaded = Note.objects.get(pk=note.pk)
    assert (loaded.body, loaded.title) == (TEXT, "About herons")


@pytest.mark.parametrize("text", ["", "\x80\x00", "苍鹭 🪶", "a" * 100_000, "trailing\0\0"])
def test_any_text_survives_sealing(note: Note, text: str) -> None:
    note.body = text
    note.save()
    assert Note.objects.get(pk=note.pk).body == text


def test_none_stays_none_and_can_be_searched(note: Note) -> None:
    note.title = None
    note.save()
    assert Note.objects.filter(title__isnull=True, pk=note.pk).get().title is None


def test_column_holds_a_token_without_the_text(note: Note) -> None:
    assert token_of(note).startswith("g1.")
    assert "heron" not in token_of(note)


def test_equal_texts_get_different_tokens(note: Note) -> None:
    assert token_of(note) != token_of(make_note(tenant_id=note.tenant_id))


def test_short_texts_have_the_same_length_in_the_column(note: Note) -> None:
    assert len(token_of(make_note(body="yes"))) == len(token_of(make_note(body="definitely not today")))


def test_update_with_text_raises(note: Note) -> None:
    with pytest.raises(UnsealedWrite), transaction.atomic():
        Note.objects.filter(pk=note.pk).update(body="leak")
    assert Note.objects.get(pk=note.pk).body == TEXT


def test_bulk_update_raises(note: Note) -> None:
    note.body = "leak"
    with pytest.raises(UnsealedWrite):
        Note.objects.bulk_update([note], ["body"])


@pytest.mark.parametrize(
    "expression",
    [
        F("plain"),
        Value("leak"),
        Value("leak", output_field=models.TextField()),
        Concat("plain", Value("x"), output_field=models.TextField()),
    ],
)
def test_update_with_an_expression_raises(note: Note, expression: models.Expression) -> None:
    with pytest.raises(UnsealedWrite):
        Note.objects.filter(pk=note.pk).update(body=expression)


def test_saving_an_expression_raises(note: Note) -> None:
    note.body = F("plain")
    with pytest.raises(UnsealedWrite):
        note.save()


def test_bulk_create_seals(note: Note) -> None:
    made = Note(tenant_id=note.tenant_id, body="in bulk")
    Note.objects.bulk_create([made])
    assert "bulk" not in token_of(made)
    assert Note.objects.get(pk=made.pk).body == "in bulk"


@pytest.mark.parametrize(
    "lookup", ["exact", "iexact", "contains", "in", "startswith", "regex", "gt", "length__gt"]
)
def test_searching_raises(note: Note, lookup: str) -> None:
    with pytest.raises(SealedLookup):
        Note.objects.filter(**{f"body__{lookup}": "heron"})


def test_values_are_opaque(note: Note) -> None:
    value = Note.objects.values_list("body", flat=True).get(pk=note.pk)
    shown = [repr(value), str(value), f"{value}", repr(Note.objects.values().get(pk=note.pk))]
    assert isinstance(value, Sealed)
    assert not [text for text in shown if "heron" in text or "g1." in text]


def test_a_database_function_gives_nothing_readable(note: Note) -> None:
    value = Note.objects.annotate(loud=Upper("body")).values_list("loud", flat=True).get(pk=note.pk)
    assert str(value) == "<sealed>"


def test_an_instance_shows_neither_text_nor_token(note: Note) -> None:
    loaded = Note.objects.get(pk=note.pk)
    loaded.title = "typed just now"
    shown = repr(loaded) + str(loaded) + repr(vars(loaded))
    assert "heron" not in shown
    assert "typed" not in shown
    assert "g1." not in shown


def test_an_unchanged_row_keeps_its_token(note: Note) -> None:
    before = token_of(note)
    loaded = Note.objects.get(pk=note.pk)
    loaded.plain = "something else"
    loaded.save()
    assert token_of(note) == before


def test_a_row_that_was_only_validated_keeps_its_token(note: Note) -> None:
    before = token_of(note)
    loaded = Note.objects.get(pk=note.pk)
    loaded.full_clean()
    loaded.save()
    assert token_of(note) == before


def test_a_changed_text_gets_a_new_token(note: Note) -> None:
    before = token_of(note)
    note.body = "a crane"
    note.save(update_fields=["body"])
    assert token_of(note) != before
    assert Note.objects.get(pk=note.pk).body == "a crane"


def test_validation_does_not_open_a_pasted_token(note: Note) -> None:
    pasted = token_of(note)
    note.body = pasted
    note.full_clean()
    assert note.body == pasted
    note.save()
    assert Note.objects.get(pk=note.pk).body == pasted


def test_a_deferred_text_opens(note: Note) -> None:
    assert Note.objects.defer("body").get(pk=note.pk).body == TEXT


def test_refreshing_from_the_database_opens(note: Note) -> None:
    note.body = "not saved"
    note.refresh_from_db()
    assert note.body == TEXT


@pytest.mark.parametrize("form", ["json", "xml", "python", "jsonl"])
def test_serialisers_refuse(note: Note, form: str) -> None:
    with pytest.raises(SealedExport):
        serializers.serialize(form, [note])


def test_a_model_form_leaves_sealed_fields_out(note: Note) -> None:
    form = modelform_factory(Note, fields="__all__")
    assert "body" not in form.base_fields
    assert "heron" not in repr(model_to_dict(note))


@pytest.mark.usefixtures("installed")
def test_a_loaded_row_pickles_without_its_text(note: Note) -> None:
    dump = pickle.dumps(Note.objects.get(pk=note.pk))
    assert b"heron" not in dump
    assert pickle.loads(dump).body == TEXT  # noqa: S301 - our own bytes


def test_an_unsaved_text_does_not_pickle(note: Note) -> None:
    note.body = "unsaved"
    with pytest.raises(SealedExport):
        pickle.dumps(note)


@pytest.mark.usefixtures("installed")
def test_copies_open_like_the_original(note: Note) -> None:
    note.title = "unsaved"
    for made in (copy.copy(note), copy.deepcopy(note)):
        assert (made.body, made.title) == (TEXT, "unsaved")


def test_a_copied_row_is_not_written_with_a_token_that_cannot_open(note: Note) -> None:
    loaded = Note.objects.get(pk=note.pk)
    loaded.pk = uuid.uuid4()
    loaded._state.adding = True
    with pytest.raises(SealBroken):
        loaded.save()


def test_a_broken_text_can_be_replaced(note: Note) -> None:
    write_token(note, "g1.0000000000000000.AAAA")
    loaded = Note.objects.get(pk=note.pk)
    loaded.body = "whole again"
    loaded.save()
    assert Note.objects.get(pk=note.pk).body == "whole again"


def test_a_model_without_scope_or_early_key_fails_the_checks() -> None:
    class Careless(models.Model):  # noqa: DJ008 - never shown
        body = SealedTextField(unique=True)

        class Meta:
            app_label = "sealed_tests"
            managed = False

    found = {message.id for message in Careless._meta.get_field("body").check()}
    assert {"crypto.E001", "crypto.E002", "crypto.E003"} <= found
