"""How a model is found and loaded, and what is said where there is none."""

from pathlib import Path
from typing import Any

import pytest

from roleplay.errors import ModelError
from roleplay.models import loading


@pytest.mark.parametrize("load", [loading.load_causal, loading.load_tokenizer])
def test_an_unknown_model_lists_the_known(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        ModelError, match="no model 'nobody/nothing': known are gemma3-270m, a folder, or a Hugging"
    ):
        load("nobody/nothing")


@pytest.mark.parametrize("load", [loading.load_causal, loading.load_tokenizer])
def test_a_folder_without_a_model(load: Any, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=f"{tmp_path} holds no causal language model that transformers can load"
    ):
        load(str(tmp_path))


def test_truncated_weights_of_a_model(gemma: Any, tmp_path: Path) -> None:
    gemma.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="holds no causal language model"):
        loading.load_causal(str(tmp_path))


def test_a_loaded_model_is_frozen(gemma: Any) -> None:
    assert not gemma.training
    assert not any(parameter.requires_grad for parameter in gemma.parameters())


def test_the_libraries_words_are_left_out_in_chinese(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        loading.load_causal(str(tmp_path))
    assert caught.value.text("zh") == f"{tmp_path} 里没有 transformers 能载入的语言模型"
