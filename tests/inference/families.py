"""Write tiny models whose vocabulary and template are those of a family; their weights say nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

HIDDEN, HEADS, FEED_FORWARD, CONTEXT = 32, 2, 64, 4096


@dataclass(frozen=True, slots=True)
class Family:
    """How a family of models marks turns: special tokens, those of them that only count as user-defined, a template."""

    name: str
    tokenizer: str
    control: tuple[str, ...]
    template: str
    defined: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        return (*self.control, *self.defined)


def _loop(before: str, after: str, last: str) -> str:
    return (
        "{% for m in messages %}{{ '" + before + "' ~ m.content ~ '" + after + "' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '" + last + "' }}{% endif %}"
    )


FAMILIES = (
    Family(
        "chatml",
        "gpt2",
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>", "<gh_stars>"),
        _loop("<|im_start|>' ~ m.role ~ '\\n", "<|im_end|>\\n<tool_call></tool_call>", "<|im_start|>assistant\\n"),
        ("<tool_call>", "</tool_call>"),
    ),
    Family(
        "llama3",
        "gpt2",
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        _loop("<|start_header_id|>' ~ m.role ~ '<|end_header_id|>\\n\\n", "<|eot_id|>", "<|start_header_id|>assistant"),
    ),
    Family("mistral", "llama", ("<unk>", "<s>", "</s>", "[INST]", "[/INST]"), _loop("[INST] ", " [/INST]", "")),
    Family(
        "gemma",
        "llama",
        ("<pad>", "<eos>", "<bos>", "<unk>", "<unused0>"),
        _loop("<start_of_turn>' ~ m.role ~ '\\n", "<end_of_turn>\\n", "<start_of_turn>model\\n"),
        ("<start_of_turn>", "<end_of_turn>"),
    ),
    Family(
        "glm",
        "gpt2",
        ("[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|user|>", "<|assistant|>", "<|system|>"),
        _loop("[gMASK]<sop><|' ~ m.role ~ '|>\\n", "", "<|assistant|>"),
    ),
    Family(
        "unheard-of",
        "gpt2",
        ("⟦turn:user⟧", "⟦turn:model⟧", "@@end@@", "@@end"),
        _loop("⟦turn:user⟧", "@@end@@", "⟦turn:model⟧"),
    ),
)  # fmt: skip


def write_family(path: Path, family: Family) -> list[int]:
    """Write the model and return the ids of its special tokens."""
    writer = gguf.GGUFWriter(path, "llama")
    plain = list(_bytes() if family.tokenizer == "gpt2" else (f"<0x{value:02X}>" for value in range(256)))
    plain_kind = gguf.TokenType.NORMAL if family.tokenizer == "gpt2" else gguf.TokenType.BYTE
    tokens = [*plain, *family.marks]
    kinds = [plain_kind] * 256
    kinds += [gguf.TokenType.CONTROL] * len(family.control) + [gguf.TokenType.USER_DEFINED] * len(
        family.defined
    )
    _describe(writer, family, tokens, kinds)
    _add_weights(writer, len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return list(range(256, len(tokens)))


def _describe(writer: Any, family: Family, tokens: list[str], kinds: list[Any]) -> None:
    writer.add_block_count(1)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_chat_template(family.template)
    writer.add_tokenizer_model(family.tokenizer)
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)


def _bytes() -> Iterator[str]:
    """Yield the 256 bytes as byte-level BPE spells them."""
    spare = itertools.count(256)
    for value in range(256):
        printable = 33 <= value <= 126 or 161 <= value <= 172 or value >= 174
        yield chr(value) if printable else chr(next(spare))


def _add_weights(writer: Any, vocabulary: int) -> None:
    random = np.random.default_rng(0)
    shapes = {
        "token_embd": (vocabulary, HIDDEN),
        **{f"blk.0.attn_{part}": (HIDDEN, HIDDEN) for part in ("q", "k", "v", "output")},
        **{f"blk.0.ffn_{part}": (FEED_FORWARD, HIDDEN) for part in ("gate", "up")},
        "blk.0.ffn_down": (HIDDEN, FEED_FORWARD),
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.standard_normal(shape).astype(np.float32) * 0.1)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(HIDDEN, np.float32))
