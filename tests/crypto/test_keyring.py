"""One data key per tenant and usage; another tenant's, a destroyed or an uncommitted one is never used."""

from __future__ import annotations

import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from common.clock import now
from crypto import keyring as keyring_module
from crypto.errors import KeyDestroyed, KeyUnavailable, SealBroken
from crypto.keyring import ExpiringCache, Keyring, keyring
from crypto.models import DataKey, Usage
from crypto.providers import key_file
from crypto.services import create_tenant_keys, derive_key, key_status

TENANT = uuid.UUID(int=7)


def destroy(tenant_id: uuid.UUID) -> None:
    DataKey.objects.filter(tenant_id=tenant_id).update(wrapped=None, destroyed_at=now())
    keyring.forget()


@pytest.mark.django_db
def test_a_tenant_keeps_its_key() -> None:
    first = keyring.key_in_use(TENANT, Usage.SEAL)
    keyring.forget()
    assert keyring.key_in_use(TENANT, Usage.SEAL).secret == first.secret
    assert DataKey.objects.filter(tenant_id=TENANT).count() == 1


@pytest.mark.django_db
def test_tenants_have_different_keys() -> None:
    secrets = {keyring.key_in_use(uuid.uuid4(), Usage.SEAL).secret for _ in range(3)}
    assert len(secrets) == 3


@pytest.mark.django_db
def test_the_stored_key_is_wrapped() -> None:
    key = keyring.key_in_use(TENANT, Usage.SEAL)
    row = DataKey.objects.get(pk=key.key_id)
    assert key.secret not in bytes(row.wrapped or b"")
    assert key.secret.hex() not in repr(key)


@pytest.mark.django_db
def test_another_tenants_key_is_refused() -> None:
    key = keyring.key_in_use(TENANT, Usage.SEAL)
    with pytest.raises(SealBroken):
        keyring.key_by_id(key.key_id, uuid.uuid4())


@pytest.mark.django_db
def test_a_key_row_moved_to_another_tenant_does_not_unwrap() -> None:
    key = keyring.key_in_use(TENANT, Usage.SEAL)
    thief = uuid.uuid4()
    DataKey.objects.filter(pk=key.key_id).update(tenant_id=thief)
    keyring.forget()
    with pytest.raises(KeyUnavailable):
        keyring.key_by_id(key.key_id, thief)


@pytest.mark.django_db
def test_a_deriving_key_seals_nothing() -> None:
    key = keyring.key_in_use(TENANT, Usage.DERIVE)
    with pytest.raises(SealBroken):
        keyring.key_by_id(key.key_id, TENANT)


@pytest.mark.django_db
def test_after_a_shred_nothing_opens_and_no_new_key_is_made() -> None:
    key = keyring.key_in_use(TENANT, Usage.SEAL)
    destroy(TENANT)
    with pytest.raises(KeyDestroyed):
        keyring.key_by_id(key.key_id, TENANT)
    with pytest.raises(KeyDestroyed):
        keyring.key_in_use(TENANT, Usage.SEAL)
    assert DataKey.objects.filter(tenant_id=TENANT).count() == 1


@pytest.mark.django_db
def test_the_database_itself_refuses_a_key_beside_a_tombstone() -> None:
    keyring.key_in_use(TENANT, Usage.SEAL)
    destroy(TENANT)
    with pytest.raises(IntegrityError), transaction.atomic():
        DataKey.objects.create(
            tenant_id=TENANT, usage=Usage.SEAL, provider_id="local", kek_id="k1", wrapped=b"x"
        )


@pytest.mark.django_db
def test_a_retired_key_still_opens_what_it_sealed() -> None:
    old = keyring.key_in_use(TENANT, Usage.SEAL)
    DataKey.objects.filter(pk=old.key_id).update(retired_at=now())
    keyring.forget()
    assert keyring.key_in_use(TENANT, Usage.SEAL).key_id != old.key_id
    assert keyring.key_by_id(old.key_id, TENANT).secret == old.secret


@pytest.mark.django_db
def test_whoever_loses_the_race_for_the_first_key_takes_the_winners(monkeypatch: pytest.MonkeyPatch) -> None:
    winner = keyring.key_in_use(TENANT, Usage.SEAL)
    look = keyring_module._row_in_use
    answers = [None]
    monkeypatch.setattr(keyring_module, "_row_in_use", lambda *at: answers.pop() if answers else look(*at))
    assert Keyring().key_in_use(TENANT, Usage.SEAL).key_id == winner.key_id


@pytest.mark.django_db(transaction=True)
def test_a_key_of_a_transaction_that_was_rolled_back_is_not_used_again() -> None:
    tenant_id = uuid.uuid4()
    with transaction.atomic():
        lost = keyring.key_in_use(tenant_id, Usage.SEAL)
        transaction.set_rollback(True)
    assert keyring.key_in_use(tenant_id, Usage.SEAL).key_id != lost.key_id
    assert DataKey.objects.filter(tenant_id=tenant_id).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_committed_key_is_cached(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    tenant_id = uuid.uuid4()
    with transaction.atomic():
        keyring.key_in_use(tenant_id, Usage.SEAL)
    key = keyring.key_in_use(tenant_id, Usage.SEAL)
    with django_assert_num_queries(0):
        keyring.key_in_use(tenant_id, Usage.SEAL)
        keyring.key_by_id(key.key_id, tenant_id)


@pytest.mark.django_db
def test_purpose_keys_differ_by_purpose_and_tenant_and_stay() -> None:
    keys = {derive_key("a", TENANT), derive_key("b", TENANT), derive_key("a", uuid.uuid4())}
    assert len(keys) == 3
    keyring.forget()
    assert derive_key("a", TENANT) in keys


@pytest.mark.django_db
def test_purpose_keys_survive_a_new_sealing_key() -> None:
    before = derive_key("a", TENANT)
    keyring.key_in_use(TENANT, Usage.SEAL)
    DataKey.objects.filter(tenant_id=TENANT, usage=Usage.SEAL).update(retired_at=now())
    keyring.forget()
    assert derive_key("a", TENANT) == before


@pytest.mark.django_db
def test_an_unknown_provider_is_named() -> None:
    key = keyring.key_in_use(TENANT, Usage.SEAL)
    DataKey.objects.filter(pk=key.key_id).update(provider_id="absent")
    with pytest.raises(KeyUnavailable, match="absent"):
        Keyring().key_by_id(key.key_id, TENANT)


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    cache: ExpiringCache[int, str] = ExpiringCache(size=2, ttl_s=60)
    for number in (1, 2):
        cache.put(number, "x")
    assert cache.get(1) == "x"
    cache.put(3, "x")
    assert [cache.get(number) for number in (1, 2, 3)] == ["x", None, "x"]


def test_the_cache_forgets_after_its_time() -> None:
    cache: ExpiringCache[int, str] = ExpiringCache(size=2, ttl_s=-1)
    cache.put(1, "x")
    assert cache.get(1) is None


@pytest.mark.django_db
def test_status_counts_keys() -> None:
    create_tenant_keys(TENANT)
    create_tenant_keys(uuid.uuid4())
    destroy(TENANT)
    status = key_status()
    assert (status.in_use, status.retired, status.destroyed) == (2, 0, 2)
    out = StringIO()
    call_command("keys", "status", stdout=out)
    assert "2 in use, 0 retired, 2 destroyed" in out.getvalue()


@pytest.mark.django_db
def test_status_says_in_one_line_what_is_wrong() -> None:
    key_file().unlink()
    with pytest.raises(CommandError, match="missing"):
        call_command("keys", "status")
