"""GGUF: what transformers' own reader makes of our files is the merged model again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest
import tiny
import tiny_gguf
import torch

from roleplay.adapters import gguf_files, lora
from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo, load_adapter, save_adapter
from roleplay.errors import AdapterError

IDS = torch.arange(3, 23)[None]


def make(kind: str) -> Any:
    """A toy model, the same each time."""
    if kind == "gemma":
        return tiny.gemma(*["sliding_attention", "full_attention"] * 2)
    return tiny.llama() if kind == "llama" else tiny.qwen3()


def random_lora(model: Any, folder: Path, *, rank: int = 2, seed: int = 1) -> Any:
    """A LoRA folder with updates that change the model."""
    torch.manual_seed(seed)
    peft_model = lora.new_lora(model, rank=rank)
    with torch.no_grad():
        for parameter in peft_model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter).mul(0.1).bfloat16())
    info = AdapterInfo(kind="lora", base=BaseModelInfo.of(model, "tiny"))
    save_adapter(peft_model, folder, info)
    return peft_model.eval()


def read(path: Path) -> dict[str, torch.Tensor]:
    tensors = gguf.GGUFReader(path).tensors
    return {one.name: torch.from_numpy(one.data.copy()) for one in tensors}


@pytest.mark.parametrize("kind", ["gemma", "llama", "qwen3"])
def test_a_merged_file_is_read_as_the_merged_model(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    base = tiny_gguf.write(make(kind), tmp_path / "base.gguf")
    merged = lora.merged(random_lora(make(kind), tmp_path / "lora"))
    gguf_files.write_merged(merged, base, tmp_path / "mine.gguf", kind="f32", name="mine")
    more = {"head_dim": 8} if kind == "qwen3" else {}  # transformers overlooks Qwen3's in a GGUF
    read_back = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="mine.gguf", **more)
    state = read_back.state_dict()
    wanted = merged.state_dict()
    assert set(wanted) <= set(state) | {"lm_head.weight"}
    for name in set(state) & set(wanted):
        assert torch.allclose(state[name], wanted[name], atol=1e-6), name
    assert not torch.allclose(
        state["model.layers.0.self_attn.q_proj.weight"],
        make(kind).model.layers[0].self_attn.q_proj.weight,
        atol=1e-3,
    )


@pytest.mark.parametrize("kind", ["gemma", "llama", "qwen3"])
def test_a_lora_file_added_to_the_base_file_is_the_merged_file(kind: str, tmp_path: Path) -> None:
    base = tiny_gguf.write(make(kind), tmp_path / "base.gguf")
    merged = lora.merged(random_lora(make(kind), tmp_path / "lora"))
    gguf_files.write_merged(merged, base, tmp_path / "mine.gguf", kind="f32", name="mine")
    updates = lora.stacked([tmp_path / "lora"])
    gguf_files.write_lora(updates, merged.config, tmp_path / "lora.gguf")
    before, after, parts = (read(tmp_path / f"{name}.gguf") for name in ("base", "mine", "lora"))
    alpha = gguf.GGUFReader(tmp_path / "lora.gguf").fields["adapter.lora.alpha"].contents()
    for name, value in before.items():
        if f"{name}.lora_a" in parts:
            down, up = parts[f"{name}.lora_a"], parts[f"{name}.lora_b"]
            value = value + up @ down * alpha / len(down)
        assert torch.allclose(value, after[name], atol=1e-5), name
    assert len(parts) == 2 * 7 * merged.config.num_hidden_layers


def test_a_smaller_kind_keeps_the_norms(tmp_path: Path) -> None:
    base = tiny_gguf.write(make("gemma"), tmp_path / "base.gguf")
    for kind, size in (("q8_0", 8.5), ("f16", 16), ("bf16", 16)):
        target = tmp_path / f"{kind}.gguf"
        gguf_files.write_merged(make("gemma"), base, target, kind=kind, name="x")
        found = {one.name: one for one in gguf.GGUFReader(target).tensors}
        assert found["output_norm.weight"].tensor_type.name == "F32"
        up = found["blk.0.ffn_up.weight"]
        assert up.tensor_type.name == kind.upper()
        assert up.n_bytes * 8 / up.n_elements == size
        down = found["blk.0.ffn_down.weight"]  # rows of 48: no whole blocks of 32
        assert down.tensor_type.name == ("F16" if kind == "q8_0" else kind.upper())


def test_updates_of_two_folders_add_up(tmp_path: Path) -> None:
    start = lora.merged(random_lora(make("llama"), tmp_path / "start", rank=3))
    both = lora.merged(random_lora(start, tmp_path / "own", seed=2))
    updates = lora.stacked([tmp_path / "start", tmp_path / "own"])
    assert {update.rank for update in updates.values()} == {5}
    lora.write_peft(updates, tmp_path / "one", base="tiny")
    loaded, info = load_adapter(make("llama"), tmp_path / "one", name="tiny")
    assert (info.kind, info.template) == ("lora", "chat")
    with torch.no_grad():
        near = loaded(input_ids=IDS).logits, both(input_ids=IDS).logits
        assert torch.allclose(*near, atol=5e-2)  # bfloat16
        assert not torch.allclose(near[0], make("llama")(IDS).logits, atol=0.5)


def test_layers_of_smaller_rank_are_filled_up(tmp_path: Path) -> None:
    random_lora(make("llama"), tmp_path / "own")
    updates = lora.stacked([tmp_path / "own"])
    first = "model.layers.0.mlp.up_proj"
    updates[first] = lora.Update(updates[first].down[:1], updates[first].up[:, :1])
    lora.write_peft(updates, tmp_path / "one", base="tiny")
    again = lora.stacked([tmp_path / "one"])
    assert again[first].rank == 2
    product = again[first].up @ again[first].down
    assert torch.allclose(product, updates[first].up @ updates[first].down, atol=1e-2)


def test_what_is_more_than_lora_of_linear_layers_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    random_lora(make("llama"), tmp_path / "own")
    weights = load_file(tmp_path / "own" / "adapter_model.safetensors")
    weights["base_model.model.lm_head.weight"] = torch.ones(2)
    save_file(weights, tmp_path / "own" / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="more than plain LoRA"):
        lora.stacked([tmp_path / "own"])


def test_another_models_file_is_no_template(tmp_path: Path) -> None:
    other = make("gemma")
    other.model.layers[0].input_layernorm.weight.add_(0.5)
    base = tiny_gguf.write(other, tmp_path / "base.gguf")
    with pytest.raises(AdapterError, match=r"another model \(blk.0.attn_norm.weight differs\)"):
        gguf_files.write_merged(make("gemma"), base, tmp_path / "x.gguf", kind="f32", name="x")
    with pytest.raises(AdapterError, match=r"another model \(gemma3 differs\)"):
        gguf_files.write_merged(make("llama"), base, tmp_path / "x.gguf", kind="f32", name="x")


def test_what_is_no_gguf_is_told(tmp_path: Path) -> None:
    for content in (b"", b"no gguf at all", b"GGUF" + b"\xff" * 40):
        (tmp_path / "bad.gguf").write_bytes(content)
        with pytest.raises(AdapterError, match="is no GGUF, or damaged"):
            gguf_files.write_merged(
                make("llama"), tmp_path / "bad.gguf", tmp_path / "x.gguf", kind="f32", name="x"
            )


def test_an_unknown_architecture_lists_the_known() -> None:
    with pytest.raises(AdapterError, match=r"a gpt2 .* known are gemma3_text llama"):
        gguf_files.architecture(type("Config", (), {"model_type": "gpt2"}))
