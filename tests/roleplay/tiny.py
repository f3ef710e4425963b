"""Real models at toy size: a character tokenizer, random weights, and a world to train them on.

tiny.save_gemma(folder)            # 4 layers, sliding window 8: an ordinary transformers folder
tiny.write_world(tmp_path / "toy")
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers import models as token_models
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

LINES = (
    (
        {"info": "雨停了。"},
        {"char": "阿灯", "say": "灯亮着。"},
        {"char": "小舟", "say": "船来了。"},
    ),
    (
        {"info": "钟响了。"},
        {"char": "小舟", "say": "船走了。"},
        {"char": "阿灯", "say": "灯灭了。"},
    ),
    (
        {"info": "天亮了。"},
        {"char": "阿灯", "say": "灯还亮着。"},
        {"char": "小舟", "act": "推开船"},
    ),
)
"""Three lines of each chapter; :func:`write_world` repeats them."""

_INTERVIEWS = (("阿灯", "你点什么？", "点灯。"), ("小舟", "你等什么？", "等船。"))
_SPECIAL = ("<unk>", "<bos>", "<eos>")
_EXTRA = "\n：【】问 \\me。abcdef"


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a character of the toy world; all others are ``<unk>``."""
    texts = json.dumps([LINES, _INTERVIEWS], ensure_ascii=False) + _EXTRA
    vocabulary = {token: number for number, token in enumerate((*_SPECIAL, *sorted(set(texts))))}
    made = Tokenizer(token_models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<bos>", eos_token="<eos>"
    )


def gemma(*layer_types: str) -> Any:
    """A Gemma 3 text model with seeded random weights, window 8."""
    config = Gemma3TextConfig(
        **_sizes(), layer_types=list(layer_types), sliding_window=8, query_pre_attn_scalar=16
    )
    torch.manual_seed(3)
    model = Gemma3ForCausalLM(config).eval().requires_grad_(False)
    model.model.embed_tokens.weight.mul_(0.3)  # else the tied head only repeats the last token
    return model


def llama() -> Any:
    """A Llama with seeded random weights: no sliding layers."""
    torch.manual_seed(4)
    return LlamaForCausalLM(LlamaConfig(**_sizes())).eval().requires_grad_(False)


def qwen3() -> Any:
    """A Qwen3 with seeded random weights: queries and keys have norms."""
    torch.manual_seed(5)
    return Qwen3ForCausalLM(Qwen3Config(**_sizes())).eval().requires_grad_(False)


def successor(ends: dict[str, str]) -> Any:
    """A Llama of fixed weights: ``ends[token]`` comes after a token, else the next one there is."""
    size = len(tokenizer())
    config = LlamaConfig(**(_sizes() | {"hidden_size": size + -size % 4}))
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    model.model.embed_tokens.weight.copy_(torch.eye(size, config.hidden_size))
    model.lm_head.weight.copy_(torch.eye(size, config.hidden_size).roll(1, dims=0))
    for before, after in ends.items():
        before_id, after_id = tokenizer().convert_tokens_to_ids([before, after])
        model.lm_head.weight[after_id, before_id] = 2.0
    return model


def save(model: Any, folder: Path) -> Path:
    """The model and the tokenizer as an ordinary transformers folder."""
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def _sizes() -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer()),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "unk_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }


def write_world(path: Path, *, repeats: int = 2) -> Path:
    """A world after distillation: novel, chunks (one a chapter), script and interviews."""
    path.mkdir(parents=True)
    characters = [{"name": name} for name in ("阿灯", "小舟")]
    _write(
        path / "world.json",
        [{"format": 1, "title": "灯与船", "language": "zh", "characters": characters}],
    )
    texts = [
        "".join(text for row in lines for text in list(row.values())[-1:]) * repeats + "\n"
        for lines in LINES
    ]
    (path / "novel.txt").write_text("".join(texts), encoding="utf-8")
    ends = [sum(map(len, texts[: number + 1])) for number in range(len(texts))]
    _write(
        path / "chunks.jsonl",
        [
            {"id": number, "chapter": number, "text": text, "span": [end - len(text), end]}
            for number, (text, end) in enumerate(zip(texts, ends, strict=True))
        ],
    )
    _write(
        path / "script.jsonl",
        [row | {"src_id": number} for number, lines in enumerate(LINES) for row in lines * repeats],
    )
    _write(
        path / "interviews.jsonl",
        [
            {"id": f"i{number}", "character": name, "question": question, "answer": answer}
            for number, (name, question, answer) in enumerate(_INTERVIEWS)
        ],
    )
    return path


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )


def vectors_apart(texts: Sequence[str]) -> Any:
    """float32 [texts, 65536]: no text is near to any but itself."""
    rows = np.zeros((len(texts), 1 << 16), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        row[int(sha256(text.encode()).hexdigest()[:4], 16)] = 1
    return rows
