"""A GGUF of a toy model, as whoever publishes a model makes one; written apart from our own code.

write(model, folder / "base.gguf")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf

_PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_GEMMA = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def write(model: Any, path: Path) -> Path:
    """The model as a GGUF of float32 with the few fields that its loaders ask for."""
    config, gemma = model.config, model.config.model_type.startswith("gemma3")
    kind = "gemma3" if gemma else config.model_type
    writer = gguf.GGUFWriter(path, kind)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_freq_base(10000.0)
    if gemma:
        writer.add_sliding_window(config.sliding_window)
    writer.add_token_list([f"t{number}" for number in range(config.vocab_size)])
    for key, value in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        writer.add_tensor(_name(key, gemma), _laid_out(key, value.float().numpy(), config, gemma))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _name(key: str, gemma: bool) -> str:
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    plain = key.removesuffix(".weight")
    if plain in names:
        return f"{names[plain]}.weight"
    _, _, number, part = plain.split(".", 3)
    return f"blk.{number}.{(_PARTS | (_GEMMA if gemma else {}))[part]}.weight"


def _laid_out(key: str, value: Any, config: Any, gemma: bool) -> Any:
    if gemma and key.endswith("norm.weight"):
        return value + 1
    if config.model_type == "llama" and ("q_proj" in key or "k_proj" in key):
        heads = config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
        shape = (heads, 2, value.shape[0] // heads // 2, value.shape[1])
        return value.reshape(shape).swapaxes(1, 2).reshape(value.shape)
    return value
