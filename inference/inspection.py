"""Read a model file's header in a process of its own, so that a malformed file can at most kill that process.

`inspect_file` is called by the portal; the child gets the open file as its standard input, takes its own rights away,
reads, and answers with JSON on its standard output. It needs no path and opens nothing.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from inference.cage.cage import Cage, CageIncomplete
from inference.confinement import limit_memory
from inference.engine import Sandbox, WorkerSpec
from inference.gguf import TEMPLATE, GgufError, GgufHeader, Value, read_header
from inference.templates import TemplateRefused, scan_template

TIMEOUT_S, CPU_S = 60, 30
MEMORY_BYTES = 1 << 30
MAX_ANSWER_BYTES = 1 << 20
# A prompt and an answer fit into no less; no pool can be made for a context of one token.
MIN_CONTEXT, MAX_CONTEXT = 128, 1 << 24
TEXT_CHARS = 120

# llama.cpp, enum llama_ftype: what general.file_type means.
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0",
}  # fmt: skip
# llama.cpp before GGUF: the magic number as it stands in the file. The first has no version and the context length in
# second place (gpt2, gptj, neox, mpt, dolly, starcoder); the others are llama's.
GGML_MAGICS = {b"lmgg": "", b"fmgg": "llama", b"tjgg": "llama"}
LLAMA_CONTEXT = 2048
NO_MODEL = WorkerSpec(
    engine="scripted",
    model_path="",
    context_tokens=0,
    slots=0,
    threads=0,
    memory_bytes=MEMORY_BYTES,
    scripted_ms=0,
)
# Brings in whatever Jinja and Python import late: once confined, the process can open nothing.
WARM_UP = r"{% for a in messages %}{{ 'a\n' + a.role | trim ~ 1.5 }}{% endfor %}"


class InspectionError(Exception):
    """The file is not taken; the text says why in words for an operator, and quotes nothing from the file."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a model file says of itself, cleaned for pages. Zero and empty texts: it does not say.

    `template_warnings` are fixed texts that the chat template adds to conversations.
    """

    format: str
    name: str
    architecture: str
    quantisation: str
    context_tokens: int
    parameter_count: int
    licence: str
    size_label: str
    tokenizer_digest: str
    chat_template: str
    template_warnings: tuple[str, ...]


def inspect_file(path: Path, *, sandbox: Sandbox) -> Inspection:
    """Return what the file says of itself. Raise InspectionError for whatever is wrong with it.

    With a `strict` sandbox nothing is read unless every layer of the cage holds.
    """
    if path.exists() and not path.is_file():
        raise InspectionError(
            "the file cannot be read: it is none"
        )  # To open a pipe would wait for whoever writes into it.
    try:
        with path.open("rb") as file:
            done = subprocess.run(
                [sys.executable, "-m", "inference.inspection", sandbox],
                stdin=file,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
                cwd=Path(__file__).resolve().parent.parent,
                env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
            )
    except OSError as error:
        raise InspectionError(f"the file cannot be read: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise InspectionError("reading the file's header took too long") from None
    if done.returncode or len(done.stdout) > MAX_ANSWER_BYTES:
        raise InspectionError("the file's header broke its reader")
    return _accept(done.stdout)


def read_inspection(file: BinaryIO, *, file_bytes: int) -> Inspection:
    """Inspect an open file in this very process. Raise InspectionError; nothing else comes out of a malformed file."""
    magic = file.read(4)
    if magic in GGML_MAGICS:
        return _old_format(file, architecture=GGML_MAGICS[magic], file_bytes=file_bytes)
    file.seek(0)
    try:
        return _of_header(read_header(file, file_bytes=file_bytes))
    except (GgufError, TemplateRefused) as error:
        raise InspectionError(str(error)) from None


def _of_header(header: GgufHeader) -> Inspection:
    architecture = _text(header.pairs, "general.architecture")
    context = header.pairs.get(f"{architecture}.context_length", 0)
    if not architecture or type(context) is not int or not MIN_CONTEXT <= context <= MAX_CONTEXT:
        raise InspectionError("the file does not say its architecture and context length")
    template = header.pairs.get(TEMPLATE, "")
    if not isinstance(template, str):
        raise InspectionError("the chat template is not a text")
    kind = header.pairs.get("general.file_type", -1)
    if type(kind) is not int:
        raise InspectionError("the file type is not a whole number")
    return Inspection(
        format="gguf",
        name=_text(header.pairs, "general.name"),
        architecture=architecture,
        quantisation=FILE_TYPES.get(kind, "?"),
        context_tokens=context,
        parameter_count=header.parameter_count,
        licence=_text(header.pairs, "general.license"),
        size_label=_text(header.pairs, "general.size_label"),
        tokenizer_digest=header.tokenizer_digest,
        chat_template=template,
        template_warnings=scan_template(template),
    )


def _text(pairs: Mapping[str, Value], key: str) -> str:
    value = pairs.get(key, "")
    if not isinstance(value, str):
        raise InspectionError(f"{key} is not a text")
    return "".join(filter(str.isprintable, value))[:TEXT_CHARS]


def _old_format(file: BinaryIO, *, architecture: str, file_bytes: int) -> Inspection:
    """Keep what can be known of a file from before GGUF: little, and nothing that has to be believed."""
    head = file.read(8)
    if len(head) != 8 or file_bytes < 1 << 10:
        raise InspectionError("the file ends early")
    context = LLAMA_CONTEXT if architecture else struct.unpack("<II", head)[1]
    if not MIN_CONTEXT <= context <= MAX_CONTEXT:
        raise InspectionError("the file does not say its context length")
    return Inspection("ggml", "", architecture, "?", context, 0, "", "", "", "", ())


def _accept(answer: bytes) -> Inspection:
    """Take the child's answer as what it is: foreign input. Raise InspectionError."""
    try:
        values: dict[str, Any] = json.loads(answer)
        if "error" in values:
            raise InspectionError(str(values["error"])[:TEXT_CHARS])
        warnings = tuple(str(text) for text in values.pop("template_warnings"))
        found = Inspection(**values, template_warnings=warnings)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InspectionError("the file's header broke its reader") from None
    numbers = (found.context_tokens, found.parameter_count)
    texts = [getattr(found, name) for name in TEXTS]
    if not all(type(number) is int for number in numbers) or not all(isinstance(text, str) for text in texts):
        raise InspectionError("the file's header broke its reader")
    return found


TEXTS = (
    "format", "name", "architecture", "quantisation", "licence", "size_label", "tokenizer_digest", "chat_template",
)  # fmt: skip


def _confine(sandbox: str) -> None:
    """Take away what reading needs not: network, files, programs, processes; memory and time beyond bounds.

    Raise InspectionError where the sandbox is `strict` and a layer of the cage does not hold.
    """
    cage = Cage()
    cage.separate()
    scan_template(WARM_UP)
    cage.enter(NO_MODEL)
    limit_memory(MEMORY_BYTES)
    cage.lock()
    try:
        if sandbox == "strict":
            cage.require_all()
    except CageIncomplete:
        raise InspectionError(
            "a layer of the sandbox is missing, so the file was not read; see doctor"
        ) from None
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def main() -> None:
    """Inspect standard input and answer on standard output."""
    file = sys.stdin.buffer
    file_bytes = os.fstat(file.fileno()).st_size  # glibc's fstat is a call that the cage does not allow
    try:
        _confine(sys.argv[1])
        found = asdict(read_inspection(file, file_bytes=file_bytes))
    except InspectionError as error:
        found = {"error": str(error)}
    except OSError:
        found = {"error": "the file cannot be read"}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
