"""A small ChatGLM of our own making: a sentencepiece model trained here, and random weights.

pieces = train_pieces(folder)                  # ice_text.model
save(model(tokenizer), tokenizer, folder)      # a folder as the hub has it
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sentencepiece
import torch

from roleplay.models.chatglm import ChatGLMConfig, ChatGLMForConditionalGeneration, ChatGLMTokenizer

TEXT = (
    "你好，世界。夏娜：来了。小舟：船走了！阿灯：灯还亮着？",
    "The cat sat on the mat. Hello, world! It is 12:30, is it not?",
    "【钟响了】灯灭了。雨停了。天亮了，推开船。问：你点什么？答：点灯。1234567890",
)


def train_pieces(folder: Path) -> Path:
    """``ice_text.model`` with special pieces, byte fallback and normalization of the real one."""
    path = folder / "ice_text"
    blanks = [f"<|blank_{count}|>" for count in range(2, 81)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 20),
        model_prefix=str(path),
        vocab_size=520,
        hard_vocab_limit=False,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="nmt_nfkc",
        pad_id=3,
        user_defined_symbols=["<n>", "<|tab|>", *blanks],
        control_symbols=["[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>"],
        minloglevel=2,
    )
    return path.with_suffix(".model")


def model(tokenizer: ChatGLMTokenizer) -> ChatGLMForConditionalGeneration:
    """Two layers, hidden size 32, random; its head has 8 rows without a piece."""
    torch.manual_seed(5)
    made = ChatGLMForConditionalGeneration(config(tokenizer)).eval()
    for weight in made.parameters():
        if weight.dim() == 2:
            weight.data.mul_(
                10
            )  # else attention is nearly uniform, and nothing depends on anything
    return made


def config(tokenizer: ChatGLMTokenizer, **settings: Any) -> ChatGLMConfig:
    sizes = {"hidden_size": 32, "num_layers": 2, "num_attention_heads": 4, "inner_hidden_size": 64}
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "mask_token_id": tokenizer.mask_token_id,
        "gmask_token_id": tokenizer.gmask_token_id,
    }
    return ChatGLMConfig(
        vocab_size=len(tokenizer) + 8, max_sequence_length=64, **sizes, **ids, **settings
    )


def save(made: ChatGLMForConditionalGeneration, tokenizer: ChatGLMTokenizer, folder: Path) -> Path:
    """The model with its tokenizer and, as the real one has, an ``auto_map`` to missing code."""
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for name, key in (("config.json", "AutoModel"), ("tokenizer_config.json", "AutoTokenizer")):
        values = json.loads((folder / name).read_text(encoding="utf-8"))
        remote = (
            "modeling_chatglm.ChatGLM"
            if key == "AutoModel"
            else ["tokenization_chatglm.ChatGLMTokenizer", None]
        )
        (folder / name).write_text(
            json.dumps(values | {"auto_map": {key: remote}}), encoding="utf-8"
        )
    return folder
