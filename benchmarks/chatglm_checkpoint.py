"""A full-size ChatGLM-6B checkpoint of random numbers, in the layout of ``chatglm-6b-int4-qe``.

    python benchmarks/chatglm_checkpoint.py /tmp/glm6b              # 3.9 GB, half a minute
    python benchmarks/chatglm_checkpoint.py /tmp/small --layers 2 --hidden 64 --heads 4 --vocab 512

Speed and memory do not depend on the numbers. Names, shapes and dtypes are those of
``keys_6b.json`` (scaled where other sizes are given). ``--tokenizer ice_text.model`` is copied
beside it, if the app is to run on it.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from roleplay.models.chatglm import ChatGLMConfig, repacked

_KEYS = Path(__file__).resolve().parents[1] / "tests" / "data" / "chatglm_golden" / "keys_6b.json"
_FORM = "int4-qe (quantization_bit=4, quantization_embeddings=true)"
_FULL = {"layers": 28, "hidden": 4096, "heads": 32, "vocab": 130528}
_DTYPES = {"float16": torch.float16, "float32": torch.float16, "int8": torch.int8}
"""The published checkpoint is float16 throughout."""


def main(argv: list[str] | None = None) -> int:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    for name, size in _FULL.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--tokenizer", type=Path, help="ice_text.model, copied into the folder")
    args = parser.parse_args(argv)
    write(args.folder, {name: getattr(args, name) for name in _FULL}, tokenizer=args.tokenizer)
    written = sum(path.stat().st_size for path in args.folder.iterdir())
    print(f"wrote {written / 1e9:.2f} GB to {args.folder}")
    return 0


def write(
    folder: Path, sizes: Mapping[str, int] | None = None, *, tokenizer: Path | None = None
) -> None:
    """Write ``config.json`` and ``model.safetensors`` of random numbers."""
    sizes = dict(_FULL) | dict(sizes or {})
    folder.mkdir(parents=True, exist_ok=True)
    _config(sizes).save_pretrained(folder)
    if tokenizer:
        shutil.copyfile(tokenizer, folder / "ice_text.model")
        values = {"tokenizer_class": "ChatGLMTokenizer", "vocab_file": "ice_text.model"}
        (folder / "tokenizer_config.json").write_text(json.dumps(values), encoding="utf-8")
    with torch.device("meta"):
        wanted = {name: torch.empty(shape, dtype=dtype) for name, shape, dtype in keys(sizes)}
    repacked.write(folder / "model.safetensors", wanted, _tensors(wanted))


def _config(sizes: Mapping[str, int]) -> ChatGLMConfig:
    ids: dict[str, Any] = {}
    if sizes["vocab"] < _FULL["vocab"]:
        names = ("mask_token_id", "gmask_token_id", "bos_token_id", "eos_token_id")
        ids = {name: sizes["vocab"] - 12 + number for number, name in enumerate(names)}
    return ChatGLMConfig(
        vocab_size=sizes["vocab"],
        hidden_size=sizes["hidden"],
        num_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        inner_hidden_size=4 * sizes["hidden"],
        quantization_bit=4,
        quantization_embeddings=True,
        **ids,
    )


def keys(sizes: Mapping[str, int]) -> Iterator[tuple[str, list[int], torch.dtype]]:
    """(name, shape, dtype) of all tensors, the shapes scaled from those of the full size."""
    for pattern, (shape, dtype) in json.loads(_KEYS.read_text(encoding="utf-8"))[_FORM][
        "keys"
    ].items():
        scaled = [_scaled(size, sizes) for size in shape]
        for number in range(sizes["layers"]) if "{0..27}" in pattern else (0,):
            yield re.sub(r"\{0\.\.27\}", str(number), pattern), scaled, _DTYPES[dtype]


def _scaled(size: int, sizes: Mapping[str, int]) -> int:
    if size == _FULL["vocab"]:
        return sizes["vocab"]
    if size == 32:  # the frequencies of the rotary positions: a quarter of a head
        return sizes["hidden"] // sizes["heads"] // 4
    return size * sizes["hidden"] // _FULL["hidden"]


def _tensors(wanted: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Random bytes for weights, scales for a standard deviation of about 0.02, norms of 1."""
    generator = torch.Generator().manual_seed(0)
    for name, like in wanted.items():
        made = torch.zeros(like.shape, dtype=like.dtype)
        if like.dtype == torch.int8:
            made.random_(-128, 128, generator=generator)
        elif name.endswith("_scale"):
            made.uniform_(0.002, 0.006, generator=generator)
        elif name.endswith("layernorm.weight"):
            made.fill_(1)
        yield name, made


if __name__ == "__main__":
    raise SystemExit(main())
