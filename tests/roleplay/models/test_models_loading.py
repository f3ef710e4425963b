"""How a model is found and loaded, and what is said where there is none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from roleplay.errors import ModelError
from roleplay.models import loading
from tests import children


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


_LOAD = """
import sys
from roleplay.errors import ModelError
from roleplay.models import loading
for load in (loading.load_tokenizer, loading.load_causal):
    try:
        print("loaded", type(load(sys.argv[1])).__name__)
    except ModelError as error:
        print("refused", error)
"""


@pytest.mark.parametrize("kind", ["llama", "of-its-own"])
def test_code_beside_a_model_is_never_run_and_nobody_is_asked(
    llama_folder: Path, tmp_path: Path, kind: str
) -> None:
    folder, ran = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(llama_folder, folder)
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf-8")
    parts = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")
    own = {part: f"own.{part}" for part in parts}
    for name in ("config.json", "tokenizer_config.json"):
        told = json.loads((folder / name).read_text(encoding="utf-8")) | {"auto_map": own}
        told |= {} if kind == "llama" else {"model_type": kind, "tokenizer_class": "Own"}
        (folder / name).write_text(json.dumps(told), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", _LOAD, str(folder)],
        input="y\ny\n",
        text=True,
        capture_output=True,
        env=children.environment(HF_HUB_OFFLINE="1"),
        timeout=300,
    )
    told = [line.split()[0] for line in ended.stdout.splitlines()]
    assert told == ["loaded" if kind == "llama" else "refused"] * 2, ended.stderr
    assert kind == "llama" or "code of its own, which is never run here" in ended.stdout
    assert not ran.exists() and "[y/N]" not in ended.stdout + ended.stderr


def test_a_loaded_model_is_frozen(gemma: Any) -> None:
    assert not gemma.training
    assert not any(parameter.requires_grad for parameter in gemma.parameters())


def test_the_libraries_words_are_left_out_in_chinese(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        loading.load_causal(str(tmp_path))
    assert caught.value.text("zh") == f"{tmp_path} 里没有 transformers 能载入的语言模型"
