"""A model's signature counts when a trusted key made it over this very file, and stops counting with its key."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django import Settings

from audit.models import AuditEvent
from registry.errors import ModelError
from registry.models import ModelArtifact
from registry.services import (
    Vouching,
    activate,
    active_artifacts,
    import_file,
    mark_evaluated,
    submit,
    verify_artifact,
    waive,
)
from registry.signatures import (
    BadSignature,
    check_signature,
    parse_signature,
    read_keys,
    read_signature,
)
from tests.conftest import Cast
from tests.registry.support import model_bytes

MINISIGN = shutil.which("minisign") or ""
tool = pytest.mark.skipif(not MINISIGN, reason="minisign is not installed")


class Signer:
    """A key of the real minisign tool."""

    def __init__(self, folder: Path, name: str) -> None:
        self.public, self.secret = folder / f"{name}.pub", folder / f"{name}.key"
        self._run("-G", "-W", "-f", "-p", str(self.public), "-s", str(self.secret))

    def sign(self, file: Path, *, legacy: bool = False, comment: str = "a heron") -> Path:
        target = file.with_suffix(f".{self.public.stem}.minisig")
        options = ["-l"] if legacy else []
        self._run("-S", *options, "-s", str(self.secret), "-m", str(file), "-x", str(target), "-t", comment)
        return target

    @property
    def key_id(self) -> str:
        return self.shown_id.zfill(16)

    @property
    def shown_id(self) -> str:
        """Return the id as minisign shows it: without leading zeros."""
        return self.public.read_text().split("public key ")[1].split()[0]

    def _run(self, *arguments: str) -> None:
        subprocess.run([MINISIGN, *arguments], check=True, capture_output=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def keys(tmp_path: Path, store: Path, settings: Settings) -> Path:
    """Return the folder of the trusted keys."""
    folder = tmp_path / "trusted"
    folder.mkdir()
    settings.PORTAL = dataclasses.replace(settings.PORTAL, model_keys=folder)
    return folder


@pytest.fixture
def signer(tmp_path: Path, keys: Path) -> Signer:
    signer = Signer(tmp_path, "release")
    shutil.copy(signer.public, keys)
    return signer


def imported(file: Path, signature: Path, key: Path | None = None) -> ModelArtifact:
    return import_file(file, source="a disk", vouching=Vouching(signature, key))


def raw_key(folder: Path) -> Ed25519PrivateKey:
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "raw.pem").write_bytes(pem)
    return private


# --- the form -------------------------------------------------------------------------------------------------------
@tool
@pytest.mark.parametrize("legacy", [False, True])
def test_what_minisign_signs_is_taken_and_shown_with_its_key_id(
    legacy: bool, signer: Signer, model_file: Path
) -> None:
    artifact = imported(model_file, signer.sign(model_file, legacy=legacy), signer.public)
    assert (artifact.signature_state, artifact.signature_key) == ("valid", signer.key_id)
    assert parse_signature(artifact.signature).is_prehashed is not legacy
    verify_artifact(artifact)


@tool
@pytest.mark.parametrize("legacy", [False, True])
def test_a_signature_with_any_part_changed_is_refused(
    legacy: bool, signer: Signer, model_file: Path, tmp_path: Path
) -> None:
    (key,) = read_keys(signer.public)
    lines = signer.sign(model_file, legacy=legacy).read_text().splitlines()
    path = tmp_path / "changed.minisig"
    check_signature(parse_signature("\n".join(lines)), key=key, path=model_file)
    for number in (1, 3):
        blob = base64.b64decode(lines[number])
        for at in range(0, len(blob), 5):
            other = base64.b64encode(blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]).decode()
            path.write_text("\n".join([*lines[:number], other, *lines[number + 1 :]]))
            with pytest.raises(BadSignature):
                check_signature(read_signature(path), key=key, path=model_file)
    path.write_text("\n".join([*lines[:2], lines[2] + "!", lines[3]]))
    with pytest.raises(BadSignature):
        check_signature(read_signature(path), key=key, path=model_file)


def test_raw_signatures_are_taken_as_bytes_and_in_base64(
    keys: Path, model_file: Path, tmp_path: Path
) -> None:
    raw = raw_key(keys).sign(model_file.read_bytes())
    for number, data in enumerate((raw, base64.b64encode(raw) + b"\n")):
        path = tmp_path / f"{number}.sig"
        path.write_bytes(data)
        artifact = imported(model_file, path)
    assert artifact.signature_state == "valid"
    assert artifact.signature_key == read_keys(keys / "raw.pem")[0].key_id
    verify_artifact(artifact)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 63,
        b"no signature",
        b"untrusted comment: x\nAAAA\ntrusted comment: y\nAAAA",
        b"untrusted comment: x\n"
        + base64.b64encode(b"XX" + bytes(72))
        + b"\ntrusted comment: y\n"
        + b"A" * 88,
        b"x" * 9000,
        base64.b64encode(bytes(65)),
    ],
)
def test_what_is_no_signature_is_refused_and_nothing_is_kept(
    data: bytes, keys: Path, store: Path, model_file: Path, tmp_path: Path
) -> None:
    raw_key(keys)
    path = tmp_path / "bad.sig"
    path.write_bytes(data)
    with pytest.raises(BadSignature):
        imported(model_file, path)
    assert not ModelArtifact.objects.exists()
    assert not store.exists() or list(store.iterdir()) == []


@pytest.mark.parametrize("comments", [("\x00", "a"), ("a", "\x1b[2J"), ("a\x07", "a")])
def test_a_signature_that_a_terminal_or_a_database_would_not_take_is_refused(
    comments: tuple[str, str],
) -> None:
    blob, seal = base64.b64encode(b"ED" + bytes(72)).decode(), base64.b64encode(bytes(64)).decode()
    lines = "untrusted comment: {}\n{}\ntrusted comment: {}\tfile:heron\n{}"
    parse_signature(lines.format("a", blob, "a", seal))
    with pytest.raises(BadSignature):
        parse_signature(lines.format(comments[0], blob, comments[1], seal))


@pytest.mark.parametrize(
    "data", [b"not base64!", b"RWQ=", b"-----BEGIN PUBLIC KEY-----\nAAAA\n", b"\xff\xfe"]
)
def test_what_is_no_key_is_an_error_and_not_one_key_fewer(
    data: bytes, keys: Path, model_file: Path, tmp_path: Path
) -> None:
    signature = tmp_path / "raw.sig"
    signature.write_bytes(raw_key(keys).sign(model_file.read_bytes()))
    (keys / "broken.pub").write_bytes(data)
    with pytest.raises(BadSignature):
        imported(model_file, signature)


# --- whose key ------------------------------------------------------------------------------------------------------
@tool
def test_a_signature_of_another_file_or_of_an_untrusted_key_is_refused(
    signer: Signer, store: Path, model_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(model_bytes(b"other"))
    stranger = Signer(tmp_path, "stranger")
    for signature in (signer.sign(other), stranger.sign(model_file)):
        with pytest.raises(BadSignature):
            imported(model_file, signature)
    with pytest.raises(BadSignature, match="named"):
        imported(model_file, signer.sign(model_file), stranger.public)
    assert not store.exists() or list(store.iterdir()) == []


def test_without_trusted_keys_no_signature_counts(store: Path, model_file: Path, tmp_path: Path) -> None:
    signature = tmp_path / "raw.sig"
    signature.write_bytes(raw_key(tmp_path).sign(model_file.read_bytes()))
    with pytest.raises(BadSignature, match="PORTAL_MODEL_KEYS"):
        imported(model_file, signature)


@tool
@pytest.mark.parametrize("how", ["revoked", "removed"])
def test_a_key_that_no_longer_counts_stops_what_it_signed(
    how: str, signer: Signer, keys: Path, model_file: Path
) -> None:
    artifact = imported(model_file, signer.sign(model_file))
    waive(artifact, reason="a test")
    activate(artifact, by=None)
    assert active_artifacts() == [artifact]
    if how == "revoked":
        (keys / "revoked.txt").write_text(f"# lost\n{signer.shown_id.lower()} lost in March\n")
    else:
        (keys / "release.pub").unlink()
    for _look in range(2):
        with pytest.raises(ModelError, match="no longer trusted"):
            verify_artifact(artifact)
    assert artifact.signature_state == "revoked"
    assert active_artifacts() == []
    assert AuditEvent.objects.filter(action="model.mismatch").count() == 1
    with pytest.raises(ModelError):
        activate(artifact, by=None)


@tool
def test_a_file_of_keys_may_hold_several(
    signer: Signer, keys: Path, model_file: Path, tmp_path: Path, settings: Settings
) -> None:
    second = Signer(tmp_path, "second")
    file = tmp_path / "all.txt"
    file.write_text(second.public.read_text() + signer.public.read_text())
    settings.PORTAL = dataclasses.replace(settings.PORTAL, model_keys=file)
    assert imported(model_file, signer.sign(model_file)).signature_key == signer.key_id


@tool
def test_a_signature_that_was_replaced_in_the_database_does_not_hold(
    signer: Signer, model_file: Path, tmp_path: Path
) -> None:
    from django.db import connection

    from registry import guards

    artifact = imported(model_file, signer.sign(model_file))
    other = tmp_path / "other.gguf"
    other.write_bytes(model_bytes(b"other"))
    guards.drop_guards(connection)
    ModelArtifact.objects.filter(pk=artifact.pk).update(signature=signer.sign(other).read_text())
    guards.create_guards(connection)
    artifact.refresh_from_db()
    with pytest.raises(ModelError, match="does not hold"):
        verify_artifact(artifact)
    assert artifact.file_state == "mismatch"


# --- the rule -------------------------------------------------------------------------------------------------------
@tool
def test_production_takes_a_signed_model_and_a_known_digest_and_nothing_else(
    signer: Signer, model_file: Path, tmp_path: Path, cast: Cast, settings: Settings
) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, mode="production", model_signatures="required")
    plain = import_file(model_file, source="a disk", by=cast.operator)
    mark_evaluated(plain, thresholds_missed=0, by=cast.operator)
    with pytest.raises(Exception, match="neither a valid signature"):
        submit(plain, by=cast.operator)
    signature = signer.sign(model_file)
    same = import_file(model_file, source="a disk", vouching=Vouching(signature), by=cast.operator)
    assert same == plain
    assert (same.signature_state, same.revision) == ("valid", 1)
    submit(same, by=cast.operator)
    assert same.status == "submitted"


def test_the_id_of_a_raw_key_is_the_beginning_of_its_digest(tmp_path: Path) -> None:
    private = raw_key(tmp_path)
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert read_keys(tmp_path / "raw.pem")[0].key_id == hashlib.sha256(raw).hexdigest()[:16].upper()


def test_a_list_of_revoked_keys_that_cannot_be_understood_is_an_error(
    keys: Path, model_file: Path, tmp_path: Path
) -> None:
    signature = tmp_path / "raw.sig"
    signature.write_bytes(raw_key(keys).sign(model_file.read_bytes()))
    (keys / "revoked.txt").write_text("key of March\n")
    with pytest.raises(BadSignature, match="id of a key"):
        imported(model_file, signature)
