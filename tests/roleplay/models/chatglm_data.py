"""The golden numbers of the original ChatGLM-6B: letters, sizes, variants and cases.

CHATGLM_GOLDEN names another folder of the same form, ICE_TEXT_MODEL the real tokenizer file, which
is never in this repository. A variant is ``fp32``, ``prefix``, ``prefix_proj`` or ``int4qe``;
layouts are the original's, sequence first.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from roleplay.models.chatglm import ChatGLMForConditionalGeneration

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(os.environ.get("CHATGLM_GOLDEN") or ROOT / "tests" / "data" / "chatglm_golden")
ICE_TEXT = Path(
    os.environ.get("ICE_TEXT_MODEL") or ROOT.parent / "shared" / "chatglm" / "ice_text.model"
)

torch.set_num_threads(
    1
)  # these products are too small to share; on a busy machine two threads take fifty times as long

MODELS = sorted(
    path.name.removesuffix("_config.json") for path in GOLDEN.glob("model_*_config.json")
)
VARIANTS = [
    (model, path.name.removeprefix(f"{model}_").removesuffix("_cases.npz"))
    for model in MODELS
    for path in sorted(GOLDEN.glob(f"{model}_*_cases.npz"))
]

needs_ice_text = pytest.mark.skipif(
    not ICE_TEXT.is_file(), reason=f"no real tokenizer file at {ICE_TEXT}"
)


@dataclass(frozen=True)
class Case:
    """One forward pass or one generation of the original."""

    model: str
    variant: str
    name: str
    file: str

    def __str__(self) -> str:
        """For pytest's list."""
        return f"{self.model}-{self.variant}-{self.name}"

    def has(self, item: str) -> bool:
        return f"{self.name}/{item}" in arrays(f"{self.model}_{self.variant}_{self.file}")

    def get(self, item: str) -> torch.Tensor:
        return torch.from_numpy(
            np.array(arrays(f"{self.model}_{self.variant}_{self.file}")[f"{self.name}/{item}"])
        )

    def inputs(self) -> dict[str, torch.Tensor]:
        """What was handed to the original: ids, and mask and positions where it got them."""
        names = ("input_ids", "attention_mask", "position_ids")
        return {name: self.get(name) for name in names if self.has(name)}

    def items(self, start: str) -> list[str]:
        """Names of the items that begin with ``start``."""
        found = arrays(f"{self.model}_{self.variant}_{self.file}")
        return [
            key.removeprefix(f"{self.name}/")
            for key in found
            if key.startswith(f"{self.name}/{start}")
        ]


@cache
def arrays(name: str) -> dict[str, np.ndarray[Any, Any]]:
    """All arrays of ``NAME.npz``."""
    with np.load(GOLDEN / f"{name}.npz") as stored:
        return dict(stored)


def read(name: str) -> Any:
    """``NAME.json``."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def cases(file: str, item: str, *variants: str) -> list[Case]:
    """The cases of ``*_cases.npz`` or ``*_generate.npz`` with ``item``, of some or all variants."""
    return [
        Case(model, variant, key.rsplit("/", 1)[0], file)
        for model, variant in VARIANTS
        if not variants or variant in variants
        for key in arrays(f"{model}_{variant}_{file}")
        if key.endswith(f"/{item}") and not key.startswith("prefix/")
    ]


def folder(model: str, variant: str, path: Path, **settings: Any) -> Path:
    """An ordinary model folder (config.json, model.safetensors) of a variant, the prefix inside."""
    config = read(f"{model}_config")["config"]
    base = "int4qe" if variant == "int4qe" else "fp32"
    weights = load_file(GOLDEN / f"{model}_{base}.safetensors")
    if base == "int4qe":
        config |= {"quantization_bit": 4, "quantization_embeddings": True}
    if variant.startswith("prefix"):
        prefix = load_file(GOLDEN / f"{model}_{variant}_encoder.safetensors")
        weights |= prefix
        length = prefix["transformer.prefix_encoder.embedding.weight"].shape[0]
        config |= {"pre_seq_len": length, "prefix_projection": variant == "prefix_proj"}
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(config | settings), encoding="utf-8")
    save_file({name: part.clone() for name, part in weights.items()}, path / "model.safetensors")
    return path


def load(model: str, variant: str, path: Path, *, attention: str = "sdpa", **settings: Any) -> Any:
    """The variant as a float32 model."""
    return ChatGLMForConditionalGeneration.from_pretrained(
        folder(model, variant, path), attn_implementation=attention, dtype=torch.float32, **settings
    )
