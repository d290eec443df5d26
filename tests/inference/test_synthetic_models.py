"""The synthetic models that benchmarks use have the tensor types of the published files."""

from __future__ import annotations

from collections import Counter

import gguf

from benchmarks.models.synthetic_qwen import LAYERS, recipe

TYPES = gguf.GGMLQuantizationType


def test_q4_k_m_spends_more_on_half_of_the_layers_and_falls_back_where_rows_do_not_fit() -> None:
    assert Counter(recipe("q4_k_m", "ffn_down", layer) for layer in range(LAYERS)) == {
        TYPES.Q6_K: 12,
        TYPES.Q4_K: 12,
    }
    assert Counter(recipe("q4_k_m", "attn_v", layer) for layer in range(LAYERS)) == {
        TYPES.Q8_0: 12,
        TYPES.Q5_0: 12,
    }
    assert recipe("q4_k_m", "ffn_up", 0) == TYPES.Q5_0
    assert recipe("q4_k_m", "output") == TYPES.Q8_0


def test_q8_0_is_one_type_and_q4_0_keeps_its_embeddings() -> None:
    assert {recipe("q8_0", part, 0) for part in ("attn_q", "ffn_down", "token_embd", "output")} == {
        TYPES.Q8_0
    }
    assert recipe("q4_0", "token_embd") == TYPES.Q8_0
    assert recipe("q4_0", "ffn_down", 0) == TYPES.Q4_0
