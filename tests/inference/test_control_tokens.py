"""No text of a person holds a control token of the model when it reaches the tokenizer.

Tokenizers find control tokens by looking for their texts, before anything else; where none of these texts is left,
none of these ids can come.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.engines.gguf import special_texts
from inference.prompt import Neutraliser, neutralise_text
from tests.inference.support import ask

CONTROL = 3
# Of the models that the portal has in its catalogue, and of those whose marks are otherwise in use.
KNOWN = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>",
    "<s>", "</s>", "<<SYS>>", "[INST]", "[/INST]", "<start_of_turn>", "<end_of_turn>", "<|fim_prefix|>",
]  # fmt: skip
PARTS = st.sampled_from(
    ["<", "|", ">", "im_", "start", "end", "<|", "|>", "/", "s", "[", "]", "INST", "x", "\u200b", "\ud83d"]
)


@pytest.fixture(scope="module")
def control_tokens(starter_model: Path) -> list[str]:
    """Return the texts of the starter model's own control tokens, as its file has them."""
    fields = gguf.GGUFReader(starter_model).fields
    texts = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    return [text for text, kind in zip(texts, kinds, strict=True) if kind == CONTROL]


def test_no_control_token_of_the_real_vocabulary_survives(
    control_tokens: list[str], starter_model: Path
) -> None:
    marks = control_tokens
    assert {"<|im_start|>", "<|im_end|>", "<file_sep>"} <= set(marks)
    neutralise = Neutraliser(special_texts(starter_model))
    for one in marks:
        for text in (one, f"a{one}b", one * 3, f"<|im_{one}start|>", f"{one[:3]}{one}{one[3:]}"):
            seen = neutralise(ask(text)).messages[0].content
            assert not [mark for mark in marks if mark in seen], text


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(PARTS, st.sampled_from(KNOWN)), max_size=14).map("".join))
def test_no_way_of_joining_pieces_makes_a_control_token(text: str) -> None:
    seen = neutralise_text(text)
    assert not [mark for mark in KNOWN if mark in seen]
