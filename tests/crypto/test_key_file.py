"""The key file is private, made once and on purpose, and never replaced."""

from __future__ import annotations

import json
import os
import stat
import threading
import uuid
from pathlib import Path

import pytest

from crypto import checks
from crypto.errors import KeyUnavailable
from crypto.keyring import keyring
from crypto.local_file import LocalFileProvider, create_key_file, read_key_file
from crypto.models import DataKey
from crypto.services import check_keys, create_local_keys, create_tenant_keys
from crypto.wrapping import WrappedKey


def test_file_and_folder_are_for_the_owner_only(own_keys: Path) -> None:
    assert stat.S_IMODE(own_keys.stat().st_mode) == 0o600
    assert stat.S_IMODE(own_keys.parent.stat().st_mode) == 0o700
    assert list(own_keys.parent.iterdir()) == [own_keys]


def test_making_it_again_changes_nothing(own_keys: Path) -> None:
    before = own_keys.read_bytes()
    assert create_key_file(own_keys) is False
    assert own_keys.read_bytes() == before


def test_of_many_makers_exactly_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "race" / "kek.json"
    won: list[bool] = []
    threads = [threading.Thread(target=lambda: won.append(create_key_file(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    assert read_key_file(path)[0] == "k1"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(own_keys: Path, mode: int) -> None:
    own_keys.chmod(mode)
    with pytest.raises(KeyUnavailable, match="0600"):
        read_key_file(own_keys)
    assert [message.id for message in checks.check_key_file()] == ["crypto.E004"]


def test_a_folder_that_others_can_enter_is_refused(own_keys: Path) -> None:
    own_keys.parent.chmod(0o755)
    with pytest.raises(KeyUnavailable, match="0700"):
        read_key_file(own_keys)


def test_a_link_is_refused(own_keys: Path) -> None:
    real = own_keys.with_name("real.json")
    own_keys.rename(real)
    own_keys.symlink_to(real)
    with pytest.raises(KeyUnavailable):
        read_key_file(own_keys)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_owner_is_refused(own_keys: Path) -> None:
    os.chown(own_keys, 65534, -1)
    with pytest.raises(KeyUnavailable, match="another user"):
        read_key_file(own_keys)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"current":"k1","keys":{}}',
        '{"current":"k1","keys":{"k1":"AAAA"}}',
        '{"current":"k1","keys":{"k1":7}}',
    ],
)
def test_a_damaged_file_is_refused(own_keys: Path, content: str) -> None:
    own_keys.write_text(content)
    with pytest.raises(KeyUnavailable, match="not a key file"):
        read_key_file(own_keys)


@pytest.mark.django_db
def test_a_missing_file_is_an_error_and_is_never_made_in_passing(own_keys: Path) -> None:
    own_keys.unlink()
    with pytest.raises(KeyUnavailable, match="missing"):
        check_keys()
    with pytest.raises(KeyUnavailable, match="missing"):
        create_tenant_keys(uuid.uuid4())
    assert not own_keys.exists()
    assert not DataKey.objects.exists()


@pytest.mark.django_db
def test_a_file_that_is_lost_while_the_portal_runs_is_noticed(own_keys: Path) -> None:
    check_keys()
    create_tenant_keys(uuid.uuid4())
    own_keys.rename(own_keys.with_name("aside"))
    with pytest.raises(KeyUnavailable, match="missing"):
        check_keys()
    own_keys.with_name("aside").rename(own_keys)
    check_keys()


@pytest.mark.django_db
def test_a_look_at_the_file_takes_over_nothing_of_what_is_found(own_keys: Path) -> None:
    tenant_id = uuid.uuid4()
    create_tenant_keys(tenant_id)
    own_keys.unlink()
    create_key_file(own_keys)
    check_keys()
    create_tenant_keys(uuid.uuid4())
    keyring.forget()
    create_tenant_keys(tenant_id)


@pytest.mark.django_db
def test_a_lost_file_is_not_replaced_while_data_keys_need_it(own_keys: Path) -> None:
    create_tenant_keys(uuid.uuid4())
    own_keys.unlink()
    with pytest.raises(KeyUnavailable, match="restore"):
        create_local_keys()
    assert not own_keys.exists()


@pytest.mark.django_db
def test_the_first_key_file_is_made_on_purpose(own_keys: Path) -> None:
    own_keys.unlink()
    assert create_local_keys() is True
    assert create_local_keys() is False
    check_keys()


@pytest.mark.django_db
def test_another_key_file_opens_nothing(own_keys: Path) -> None:
    tenant_id = uuid.uuid4()
    create_tenant_keys(tenant_id)
    own_keys.unlink()
    create_key_file(own_keys)
    row = DataKey.objects.filter(tenant_id=tenant_id)[0]
    with pytest.raises(KeyUnavailable, match="another key"):
        LocalFileProvider(own_keys).unwrap(WrappedKey(row.kek_id, bytes(row.wrapped or b"")), context=b"")
    keyring.forget()


def test_older_versions_still_open_and_new_ones_are_noticed(own_keys: Path) -> None:
    provider = LocalFileProvider(own_keys)
    old = provider.wrap(b"secret", context=b"c")
    data = json.loads(own_keys.read_text())
    data["keys"]["k2"] = data["keys"]["k1"][:-5] + "AAAA="
    data["current"] = "k2"
    own_keys.write_text(json.dumps(data))
    new = LocalFileProvider(own_keys).wrap(b"secret", context=b"c")
    assert (old.kek_id, new.kek_id) == ("k1", "k2")
    assert provider.unwrap(new, context=b"c") == provider.unwrap(old, context=b"c") == b"secret"


def test_a_wrapped_key_opens_only_in_its_context(own_keys: Path) -> None:
    provider = LocalFileProvider(own_keys)
    with pytest.raises(KeyUnavailable):
        provider.unwrap(provider.wrap(b"secret", context=b"one"), context=b"two")
