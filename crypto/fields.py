"""Seal text columns: AES-256-GCM with the tenant's data key, on top of django-encrypted-model-fields.

The package gives a field that encrypts in `get_db_prep_save` and decrypts in `to_python`. That is too late
and too early for us: the row (tenant, conversation, primary key), to which a value is bound, is known only in
`pre_save` and on attribute access. So `SealedTextField` seals and opens there, and every other way in or out
is closed:

- what reaches the database unsealed raises UnsealedWrite: `update()`, `bulk_update()`, expressions;
- searching raises SealedLookup; only `isnull` is answered;
- `values()` and friends give `Sealed`, which shows nothing;
- `to_python` never decrypts, so a pasted ciphertext stays what it is: text;
- serialisers raise SealedExport, model forms leave the field out;
- a changed, moved or unsealed value in the column raises SealBroken when it is read, never earlier or later.

A row that was not changed keeps its ciphertext when it is saved. Opening may ask the database for a data key,
so read sealed attributes in synchronous code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from django.core import checks
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.fields import NOT_PROVIDED
from django.db.models.query_utils import DeferredAttribute
from encrypted_model_fields.fields import EncryptedTextField

from crypto import envelope
from crypto.errors import KeyDestroyed, KeyUnavailable, SealBroken, SealedExport, SealedLookup, UnsealedWrite
from crypto.keyring import keyring
from crypto.models import Usage
from crypto.scope import CryptoScope, Scoped

_Set_contra = TypeVar("_Set_contra", contravariant=True)
_Get_co = TypeVar("_Get_co", covariant=True)

if (
    TYPE_CHECKING
):  # the package ships no types; to a type checker ours is a TextField, optional where null=True

    class EncryptedText(models.TextField[_Set_contra, _Get_co]):
        """Stand for the package's field."""

else:

    class EncryptedText(EncryptedTextField):
        """The package's field, with the type parameters that a type checker wants."""

        def __class_getitem__(cls, _: object) -> type[EncryptedTextField]:
            return cls


class Sealed:
    """A ciphertext as it came from the database. Its text form shows nothing."""

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """Return the ciphertext, for the database only."""
        return self._token

    def __repr__(self) -> str:
        return "<sealed>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._token == other._token

    def __hash__(self) -> int:
        return hash(self._token)


class Clear:
    """A clear text that was assigned and not saved yet; `replaces` is the ciphertext that it may still equal.

    It keeps the text out of `vars()`, tracebacks and pickles.
    """

    __slots__ = ("replaces", "text")

    def __init__(self, text: object, *, replaces: Sealed | None) -> None:
        self.text = text
        self.replaces = replaces

    def __repr__(self) -> str:
        return "<not sealed yet>"

    def __copy__(self) -> Clear:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Clear:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise SealedExport("a clear text that was not saved yet cannot be pickled")


class SealedAttribute(DeferredAttribute):
    """Open on reading, wrap on writing.

    Without `__set__` the instance's dictionary would win and show ciphertext.
    """

    field: SealedTextField[Any, Any]

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:
            super().__get__(instance, cls)
        stored = instance.__dict__[self.field.attname]
        if isinstance(stored, Sealed):
            return self.field.open(stored, instance)
        return stored.text if isinstance(stored, Clear) else stored

    def __set__(self, instance: models.Model, value: object) -> None:
        if value is not None and not isinstance(value, Sealed):
            before = instance.__dict__.get(self.field.attname)
            value = Clear(value, replaces=_ciphertext_of(before))
        instance.__dict__[self.field.attname] = value


class SealedTextField(EncryptedText[_Set_contra, _Get_co]):
    """A text column that only its own row, in its own tenant and conversation, can open.

    See the module's text.
    """

    descriptor_class = SealedAttribute

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Return errors for a model whose rows cannot be named before they are saved."""
        return [*super().check(**kwargs), *self._check_scope(), *self._check_column()]

    def seal(self, text: object, instance: models.Model) -> Sealed:
        """Return the ciphertext of `text` in this row. Raises UnsealedWrite, KeyDestroyed, KeyUnavailable."""
        if not isinstance(text, str):
            raise UnsealedWrite(f"{self.place} takes text only")
        scope = self._scope(instance)
        key = keyring.key_in_use(scope.tenant_id, Usage.SEAL)
        place = self._binding(instance, scope)
        return Sealed(envelope.seal(key.cipher, key_id=key.key_id, clear=text.encode(), place=place))

    def open(self, sealed: Sealed, instance: models.Model) -> str:
        """Return the text. Raises SealBroken, KeyDestroyed, KeyUnavailable."""
        scope = self._scope(instance)
        try:
            parsed = envelope.parse(sealed.token())
            key = keyring.key_by_id(parsed.key_id, scope.tenant_id)
            return envelope.unseal(key.cipher, parsed, place=self._binding(instance, scope)).decode()
        except SealBroken:
            raise SealBroken(self.place) from None

    @property
    def place(self) -> str:
        """Name the field, for errors: `chat.message.body`."""
        return f"{self.model._meta.label_lower}.{self.name}"

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed | None:  # noqa: FBT001 - Django's
        """Return the ciphertext to write: the one that was read, where the text is the same, else a new one.

        A ciphertext that does not open in this row (a copied row, a changed tenant) is never written back.
        """
        value = model_instance.__dict__.get(self.attname)
        if isinstance(value, Clear):
            value = self._same_or_new(value, model_instance)
            model_instance.__dict__[self.attname] = value
        elif isinstance(value, Sealed):
            self.open(value, model_instance)
        return cast(Sealed | None, value)

    def from_db_value(self, value: str | None, *_: object) -> Sealed | None:
        """Return what the column holds, opaque; it is opened when it is read from its row."""
        return None if value is None else Sealed(value)

    def to_python(self, value: Any) -> Any:
        """Return input as it is. Never decrypts: that would open any ciphertext that somebody pastes."""
        return value if isinstance(value, Sealed) else models.TextField.to_python(self, value)

    def get_prep_value(self, value: Any) -> str | None:
        """Let only ciphertext through, to the database or into a comparison."""
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise UnsealedWrite(f"{self.place} is sealed when its row is saved; use save() or bulk_create()")
        return value.token()

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's
        """Let only ciphertext through."""
        return self.get_prep_value(value)

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Let only ciphertext through, no expression either; the package would encrypt here, with its own key."""
        return self.get_prep_value(value)

    def get_lookup(self, lookup_name: str) -> Any:
        """Answer `isnull` only."""
        if lookup_name != "isnull":
            raise SealedLookup(f"{self.place} is sealed: it cannot be searched with '{lookup_name}'")
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> NoReturn:
        """Answer none: a function of a ciphertext means nothing."""
        raise SealedLookup(f"{self.place} is sealed: it has no '{lookup_name}'")

    def value_from_object(self, obj: models.Model) -> Any:
        """Return the opaque value: serialisers and forms never see the text."""
        return obj.__dict__.get(self.attname)

    def value_to_string(self, obj: models.Model) -> NoReturn:
        """Refuse: a dump with the text would leak it, and one without would be no backup."""
        raise SealedExport(f"{self.place} is sealed and is not serialised; back up the database and its keys")

    def formfield(self, *_: object, **__: object) -> None:
        """Return no form field: a form names its text fields itself."""

    def _same_or_new(self, value: Clear, instance: models.Model) -> Sealed:
        if value.replaces is not None:
            try:
                if self.open(value.replaces, instance) == value.text:
                    return value.replaces
            except (SealBroken, KeyDestroyed, KeyUnavailable):
                pass  # what cannot be read any more is replaced
        return self.seal(value.text, instance)

    def _scope(self, instance: models.Model) -> CryptoScope:
        return cast(Scoped, instance).crypto_scope()

    def _binding(self, instance: models.Model, scope: CryptoScope) -> Sequence[str]:
        if instance.pk is None:
            raise UnsealedWrite(f"{self.place} needs a primary key that is known before the insert")
        container = "" if scope.container_id is None else str(scope.container_id)
        return (self.model._meta.label_lower, self.attname, str(scope.tenant_id), container, str(instance.pk))

    def _check_scope(self) -> list[checks.CheckMessage]:
        if self.model._meta.abstract or hasattr(self.model, "crypto_scope"):
            return []
        return [checks.Error("A model with sealed fields needs crypto_scope().", obj=self, id="crypto.E001")]

    def _check_column(self) -> list[checks.CheckMessage]:
        found: list[checks.CheckMessage] = []
        if self.unique or self.db_index:  # type: ignore[attr-defined]
            found.append(checks.Error("A sealed column cannot be indexed.", obj=self, id="crypto.E002"))
        if self.model._meta.pk.default is NOT_PROVIDED:
            text = "The primary key must be known before the insert: give it a default."
            found.append(checks.Error(text, obj=self, id="crypto.E003"))
        return found


def _ciphertext_of(value: object) -> Sealed | None:
    if isinstance(value, Sealed):
        return value
    return value.replaces if isinstance(value, Clear) else None
