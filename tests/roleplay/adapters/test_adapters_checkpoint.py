"""The checkpoint folder: the same logits after a round trip, one line for all that is broken."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from roleplay.adapters.checkpoint import (
    AdapterInfo,
    BaseModelInfo,
    load_adapter,
    read_info,
    save_adapter,
)
from roleplay.adapters.lora import new_lora
from roleplay.adapters.prefix import new_prefix, table
from roleplay.errors import AdapterError
from roleplay.models.loading import load_causal

IDS = torch.arange(3, 23)[None]


def save(model: Any, kind: str, folder: Path) -> Any:
    """An adapter of random weights around ``model``, saved as ``tiny``."""
    torch.manual_seed(1)
    info = AdapterInfo(
        kind=kind, base=BaseModelInfo.of(model, "tiny"), pre_seq_len=4, characters=("阿灯",)
    )
    peft_model = new_prefix(model, length=4) if kind == "prefix" else new_lora(model, rank=2)
    with torch.no_grad():
        for parameter in peft_model.parameters():
            if parameter.requires_grad:
                parameter.copy_(
                    torch.randn_like(parameter).mul(0.5).bfloat16()
                )  # what LoRA is stored in
    save_adapter(peft_model, folder, info)
    return peft_model.eval()


@pytest.fixture
def checkpoint(gemma: Any, tmp_path: Path) -> Path:
    save(gemma, "prefix", tmp_path / "mine")
    return tmp_path / "mine"


@pytest.mark.parametrize("kind", ["prefix", "lora"])
def test_a_round_trip_gives_the_same_logits(kind: str, gemma_folder: Path, tmp_path: Path) -> None:
    saved = save(load_causal(str(gemma_folder)), kind, tmp_path / "mine")
    base = load_causal(str(gemma_folder))
    with torch.no_grad():
        plain = base(IDS).logits
        loaded, info = load_adapter(base, tmp_path / "mine", name="tiny")
        assert torch.equal(loaded(input_ids=IDS).logits, saved(input_ids=IDS).logits)
        assert not torch.allclose(loaded(input_ids=IDS).logits, plain, atol=1e-2)
    assert (info.kind, info.base.name, info.characters) == (kind, "tiny", ("阿灯",))


def test_lora_is_stored_in_half_the_size(gemma: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    save(gemma, "lora", tmp_path / "mine")
    weights = load_file(tmp_path / "mine" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}


def test_a_loaded_prefix_is_the_saved_one(checkpoint: Path, gemma_folder: Path, gemma: Any) -> None:
    from safetensors.torch import load_file

    loaded, _ = load_adapter(load_causal(str(gemma_folder)), checkpoint, name="tiny")
    (weights,) = load_file(checkpoint / "adapter_model.safetensors").values()
    assert torch.equal(table(loaded), weights)


def test_a_checkpoint_holds_no_path_of_this_machine(checkpoint: Path, gemma_folder: Path) -> None:
    assert sorted(path.name for path in checkpoint.iterdir()) == [
        "adapter.json",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    for path in checkpoint.iterdir():
        assert str(gemma_folder).encode() not in path.read_bytes()
        assert b"/tmp" not in path.read_bytes()
    assert (
        json.loads((checkpoint / "adapter_config.json").read_text())["base_model_name_or_path"]
        == "tiny"
    )


def test_an_adapter_for_another_model_is_refused(checkpoint: Path, llama: Any) -> None:
    size = llama.config.vocab_size
    ours = f"tiny (model_type gemma3_text, hidden_size 32, num_hidden_layers 4, vocab_size {size})"
    other = f"other (model_type llama, hidden_size 32, num_hidden_layers 4, vocab_size {size})"
    with pytest.raises(
        AdapterError,
        match=re.escape(f"was made for {ours}, the model is {other}: choose the model"),
    ):
        load_adapter(llama, checkpoint, name="other")


def test_missing_weights(checkpoint: Path, gemma: Any) -> None:
    (checkpoint / "adapter_model.safetensors").unlink()
    with pytest.raises(
        AdapterError, match="mine has no adapter_model.safetensors: copy the whole folder"
    ):
        load_adapter(gemma, checkpoint, name="tiny")


def test_truncated_weights(checkpoint: Path, gemma: Any) -> None:
    weights = checkpoint / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(AdapterError, match="mine: the weights cannot be read"):
        load_adapter(gemma, checkpoint, name="tiny")


def test_missing_folder_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(
        AdapterError,
        match=r"no checkpoint folder .*gone: train one with `python scripts/train_role",
    ):
        read_info(tmp_path / "gone")


def test_missing_adapter_json(checkpoint: Path) -> None:
    (checkpoint / "adapter.json").unlink()
    with pytest.raises(
        AdapterError, match=r"mine is not a checkpoint of this program \(.*adapter.json is missing"
    ):
        read_info(checkpoint)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "spell"}, "is not a checkpoint of this program"),
        ({"base": {"name": "tiny"}}, "is not a checkpoint of this program"),
        ({"format": 9}, "has format 9, this program reads 1: update it"),
    ],
)
def test_a_changed_adapter_json(checkpoint: Path, change: dict[str, Any], message: str) -> None:
    path = checkpoint / "adapter.json"
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8"
    )
    with pytest.raises(AdapterError, match=message):
        read_info(checkpoint)


def test_names_of_an_older_version_are_read_as_todays(checkpoint: Path) -> None:
    path = checkpoint / "adapter.json"
    old = {
        "settings": {"keep_weight": 0.5, "batch": 4},
        "result": {"bare_loss": 4.5, "bare_general_loss": 4.0, "learnt_tokens": 9, "steps": 2},
    }
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | old), "utf-8")
    info = read_info(checkpoint)
    assert info.settings == {"kl_weight": 0.5, "batch": 4}
    assert info.result == {
        "base_loss": 4.5,
        "base_general_loss": 4.0,
        "target_tokens": 9,
        "steps": 2,
    }


def test_a_full_disk_is_one_line(gemma: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("peft.PeftModel.save_pretrained", full)
    with pytest.raises(AdapterError) as caught:
        save(gemma, "lora", tmp_path / "mine")
    line = r"mine: the weights cannot be written \(the disk is full\): free some space and run"
    assert re.search(line, str(caught.value))
    assert "磁盘已满" in caught.value.text("zh") and "space" not in caught.value.text("zh")
    assert not (tmp_path / "mine" / "adapter.json").exists()
