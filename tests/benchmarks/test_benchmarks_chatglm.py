"""The benchmark programs run at toy size; their figures are not looked at here."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from benchmarks import chatglm, chatglm_checkpoint

SIZES = {"layers": 2, "hidden": 64, "heads": 4, "vocab": 1024}


def test_the_layout_is_that_of_the_full_model() -> None:
    stated = json.loads(chatglm_checkpoint._KEYS.read_text(encoding="utf-8"))[
        chatglm_checkpoint._FORM
    ]
    made = list(chatglm_checkpoint.keys(chatglm_checkpoint._FULL))
    assert len(made) == len({name for name, _, _ in made}) == stated["num_keys"] == 482
    shapes = {name: shape for name, shape, _ in made}
    assert shapes["transformer.layers.27.mlp.dense_4h_to_h.weight"] == [4096, 8192]
    assert shapes["lm_head.weight"] == [130528, 2048]


def test_a_small_checkpoint_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "small"
    chatglm_checkpoint.write(folder, SIZES)
    with safe_open(folder / "model.safetensors", "pt") as stored:
        assert stored.get_slice(
            "transformer.layers.1.attention.rotary_emb.inv_freq"
        ).get_shape() == [4]
    assert chatglm.main([str(folder), "--parts", "model", "--steps", "4"]) == 0
    printed = capsys.readouterr().out
    assert "| decode after 64 tokens, ms a token | - | - | - | - |" in printed
    assert "transformers" in printed.splitlines()[0]
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
