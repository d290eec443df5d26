"""Say what an old model file is, before the library that runs it sees it: that one ends the process in a doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inference.engine import LoadError
from inference.engines.gguf import read_shape, read_vocabulary

# What ctransformers 0.2.27 runs (its models/llms folder): GGUF of llama.cpp's state of September 2023, and GGML.
GGUF_ARCHITECTURES = frozenset({"llama", "falcon"})
GGML_MODEL_TYPES = frozenset(
    {"dolly-v2", "falcon", "gpt2", "gpt_bigcode", "gpt_neox", "gptj", "llama", "mpt", "replit", "starcoder"}
)
# First four bytes of a file. GGJT and GGMF are llama.cpp's own; plain GGML says nothing of what is inside.
_GGUF, _GGML = b"GGUF", b"lmgg"
_LLAMA_ONLY = frozenset({b"tjgg", b"fmgg"})


@dataclass(frozen=True, slots=True)
class OldFile:
    """Hold what the library must be told, and the ids of the marks in the vocabulary that look like `<|…|>`."""

    model_type: str
    is_ggml: bool
    marks: Mapping[str, int]
    cache_bytes_per_token: int | None


def read_old_file(path: Path, *, architecture: str) -> OldFile:
    """Return what the file is; `architecture` is what its owner says of a GGML file, which says nothing itself.

    Raise LoadError: `model_missing`, `model_invalid`, or one that names what ctransformers cannot run.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError:
        raise LoadError("model_missing") from None
    if magic == _GGUF:
        return _read_gguf(path)
    model_type = "llama" if magic in _LLAMA_ONLY else architecture
    if magic not in {_GGML, *_LLAMA_ONLY}:
        raise LoadError("model_invalid")
    if model_type not in GGML_MODEL_TYPES:
        raise LoadError("ctransformers_unsupported")
    return OldFile(model_type, is_ggml=True, marks={}, cache_bytes_per_token=None)


def _read_gguf(path: Path) -> OldFile:
    architecture, tokens = read_vocabulary(path)
    if architecture == "qwen2":
        raise LoadError("ctransformers_qwen2")
    if architecture not in GGUF_ARCHITECTURES or not tokens:
        raise LoadError("ctransformers_unsupported")
    return OldFile(
        model_type=architecture,
        is_ggml=False,
        marks={text: number for number, text in enumerate(tokens) if text.startswith("<|")},
        cache_bytes_per_token=read_shape(path).cache_bytes_per_token,
    )
