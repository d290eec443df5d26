"""Say of an artefact what the pages show: its facts, and its states in words and tones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry.models import FileState, ModelArtifact, SignatureState, Status

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Mark:
    """A state in words; the tone gives it shape and colour."""

    tone: str
    text: Text


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artefact as every part of the pages names it."""

    id: UUID
    label: str
    name: str
    digest: str
    file: str
    quantisation: str
    size_bytes: int
    context_tokens: int
    source: str
    imported_at: datetime
    signature: Mark
    signer: str
    state: Mark
    check: Mark
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """One line about the file; code is shown letter by letter."""

    label: Text
    value: str
    is_code: bool = False


SIGNATURES = {
    SignatureState.VALID: Mark("ok", _("valid")),
    SignatureState.NONE: Mark("mute", _("none")),
    SignatureState.REVOKED: Mark("danger", _("key revoked")),
}
CHECKS = {
    FileState.OK: Mark("ok", _("the digest is the same")),
    FileState.MISMATCH: Mark("danger", _("the file has changed")),
    FileState.MISSING: Mark("danger", _("the file is missing")),
}
STATES = {
    Status.IMPORTED: Mark("mute", _("imported")),
    Status.EVALUATED: Mark("info", _("evaluated")),
    Status.SUBMITTED: Mark("warn", _("to be approved")),
    Status.APPROVED: Mark("info", _("approved")),
    Status.ACTIVE: Mark("ok", _("in use")),
    Status.REJECTED: Mark("danger", _("rejected")),
    Status.RETIRED: Mark("mute", _("retired")),
}
STOPPED = Mark("danger", _("stopped"))
USED_BEFORE = Mark("info", _("used before"))
IN_CATALOGUE = Mark("ok", _("digest of the catalogue"))


def show_artifact(row: ModelArtifact) -> Artifact:
    """Return what the pages show of a row."""
    return Artifact(
        id=row.pk,
        label=row.label,
        name=row.name,
        digest=row.sha256,
        file=row.file_name,
        quantisation=row.quantisation,
        size_bytes=row.size_bytes,
        context_tokens=row.context_tokens,
        source=row.source,
        imported_at=row.imported_at,
        signature=_signature(row),
        signer=_short_key(row.signature_key),
        state=_state(row),
        check=CHECKS[FileState(row.file_state)],
        checked_at=row.checked_at,
    )


def file_facts(row: ModelArtifact) -> list[Fact]:
    """Return what the file says of itself and where it came from; whatever it leaves open is an empty value."""
    parameters = f"{row.parameter_count / 1e6:,.0f} M" if row.parameter_count else ""
    return [
        Fact(_("File"), row.file_name, is_code=True),
        Fact(_("Format"), row.format.upper()),
        Fact(_("Architecture"), row.architecture),
        Fact(_("Parameters"), parameters),
        Fact(_("Quantisation"), row.quantisation),
        Fact(_("Context in tokens"), f"{row.context_tokens:,}"),
        Fact(_("Size in bytes"), f"{row.size_bytes:,}"),
        Fact(_("Licence"), row.licence),
        Fact(_("Tokenizer digest"), row.tokenizer_digest, is_code=True),
        Fact(_("Source"), row.source),
        Fact(_("Signing key"), row.signature_key, is_code=True),
        Fact(_("Imported with version"), row.portal_version),
    ]


def _state(row: ModelArtifact) -> Mark:
    if row.status == Status.ACTIVE and not row.is_sound:
        return STOPPED
    if row.status == Status.APPROVED and row.activated_at is not None:
        return USED_BEFORE
    return STATES[Status(row.status)]


def _signature(row: ModelArtifact) -> Mark:
    if row.signature_state == SignatureState.NONE and row.catalogue_key:
        return IN_CATALOGUE
    return SIGNATURES[SignatureState(row.signature_state)]


def _short_key(key: str) -> str:
    """Return the ends of a key's name, enough to tell the keys of one house apart."""
    return f"{key[:4]}·{key[-4:]}".upper() if len(key) > 8 else key.upper()
