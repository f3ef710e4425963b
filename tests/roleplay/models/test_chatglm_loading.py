"""Loading a ChatGLM: every storage form, and what is said where something is wrong with it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from roleplay.errors import AdapterError, ModelError
from roleplay.models import causal, loading
from roleplay.models.chatglm import ChatGLMConfig, ChatGLMForConditionalGeneration, ChatGLMTokenizer
from roleplay.models.chatglm.prefix import read_prefix, write_prefix
from roleplay.models.chatglm.quantization import (
    HEAD_ROWS,
    PackedEmbedding,
    PackedHead,
    PackedLinear,
)

PREFIX = "transformer.prefix_encoder.embedding.weight"
IDS = torch.tensor([[20, 21, 22]])


def load(folder: Path, **kwargs: Any) -> Any:
    return ChatGLMForConditionalGeneration.from_pretrained(folder, **kwargs)


def logits(model: Any) -> torch.Tensor:
    ids = torch.cat(
        [IDS, torch.tensor([[model.config.gmask_token_id, model.config.bos_token_id]])], dim=1
    )
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=ids).logits
    return found


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The stored tensors, copied so that the file can be written anew."""
    return {name: part.clone() for name, part in load_file(folder / "model.safetensors").items()}


def rewrite(folder: Path, state: dict[str, torch.Tensor]) -> None:
    save_file(state, folder / "model.safetensors")


def as_bin(folder: Path, name: str = "pytorch_model.bin", **kwargs: Any) -> Path:
    """The weights as the original stores them: one .bin, with head and the ignored frequencies."""
    state = weights(folder)
    state["lm_head.weight"] = state["transformer.word_embeddings.weight"]
    state |= {
        f"transformer.layers.{layer}.attention.rotary_emb.inv_freq": torch.ones(2)
        for layer in range(2)
    }
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / name, **kwargs)
    return folder / name


def as_shards(folder: Path) -> list[str]:
    state, names = (
        weights(folder),
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
    )
    (folder / "model.safetensors").unlink()
    placed = {key: names[index % 2] for index, key in enumerate(sorted(state))}
    for name in names:
        save_file({key: state[key] for key in placed if placed[key] == name}, folder / name)
    index = {"metadata": {}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return names


@pytest.mark.parametrize("auto", [AutoModel, AutoModelForCausalLM])
def test_the_auto_classes_give_our_model(auto: Any, glm: Any, glm_folder: Path) -> None:
    model = auto.from_pretrained(glm_folder)
    assert type(model) is ChatGLMForConditionalGeneration and not model.training
    assert torch.equal(logits(model), logits(glm))


def test_the_auto_tokenizer_gives_ours(glm_folder: Path) -> None:
    assert type(AutoTokenizer.from_pretrained(glm_folder)) is ChatGLMTokenizer


def test_our_own_loader_takes_it(glm: Any, glm_folder: Path) -> None:
    model = loading.load_causal(str(glm_folder))
    assert torch.equal(logits(model), logits(glm))
    assert causal.head(model) is model.lm_head and causal.body(model) is model.transformer


@pytest.mark.parametrize("zipped", [True, False])
def test_a_bin_file_of_the_original(glm: Any, glm_folder: Path, zipped: bool) -> None:
    as_bin(glm_folder, _use_new_zipfile_serialization=zipped)
    assert torch.equal(logits(load(glm_folder)), logits(glm))


def test_shards(glm: Any, glm_folder: Path) -> None:
    as_shards(glm_folder)
    assert torch.equal(logits(load(glm_folder)), logits(glm))


def test_head_and_embedding_are_one_tensor(glm_folder: Path) -> None:
    model = load(glm_folder)
    assert model.lm_head.weight is model.transformer.word_embeddings.weight


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("embeddings", [True, False])
def test_quantized_on_load_saved_and_loaded_again(
    glm_folder: Path, bits: int, embeddings: bool, tmp_path: Path
) -> None:
    packed = load(glm_folder, quantization_bit=bits, quantization_embeddings=embeddings)
    packed.save_pretrained(tmp_path / "packed")
    again = load(tmp_path / "packed")
    assert again.config.quantization_bit == bits and torch.equal(logits(again), logits(packed))
    assert isinstance(again.transformer.layers[0].mlp.dense_h_to_4h, PackedLinear)
    assert isinstance(again.lm_head, PackedHead) == isinstance(
        again.transformer.word_embeddings, PackedEmbedding
    )
    assert isinstance(again.lm_head, PackedHead) == embeddings


def test_packed_layers_can_be_loaded_with_packed_embeddings(
    glm_folder: Path, tmp_path: Path
) -> None:
    load(glm_folder, quantization_bit=4).save_pretrained(tmp_path / "int4")
    both = load(tmp_path / "int4", quantization_embeddings=True)
    whole = load(glm_folder, quantization_bit=4, quantization_embeddings=True)
    assert torch.equal(logits(both), logits(whole))


def test_eight_bits_are_closer_than_four(glm: Any, glm_folder: Path) -> None:
    wanted = logits(glm)
    four, eight = (
        load(glm_folder, quantization_bit=bits, quantization_embeddings=True) for bits in (4, 8)
    )
    assert 0 < (logits(eight) - wanted).abs().max() < 0.2 * (logits(four) - wanted).abs().max()


def test_a_float16_checkpoint_runs_in_float32_on_a_cpu(glm_folder: Path) -> None:
    rewrite(glm_folder, {name: part.half() for name, part in weights(glm_folder).items()})
    assert {part.dtype for part in load(glm_folder, dtype=torch.float32).parameters()} == {
        torch.float32
    }
    assert {part.dtype for part in load(glm_folder, dtype="float16").parameters()} == {
        torch.float16
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close(glm: Any, glm_folder: Path, dtype: torch.dtype) -> None:
    model = load(glm_folder, dtype=dtype, quantization_bit=8, quantization_embeddings=True)
    torch.testing.assert_close(logits(model).float(), logits(glm), atol=0.1, rtol=0)


def test_packed_weights_stay_mapped_and_are_never_expanded_in_the_model(
    glm_folder: Path, tmp_path: Path
) -> None:
    load(glm_folder, quantization_bit=4, quantization_embeddings=True).save_pretrained(
        tmp_path / "qe"
    )
    model = load(tmp_path / "qe")
    logits(model)
    held = {name: part.dtype for name, part in model.state_dict().items() if part.dim() == 2}
    assert set(held.values()) == {torch.int8}


def test_saving_over_the_mapped_files_is_refused(glm_folder: Path) -> None:
    with pytest.raises(
        ModelError, match="the model's weights are mapped from .*: save it to another folder"
    ):
        load(glm_folder).save_pretrained(glm_folder)


def test_every_wrong_key_is_listed_at_once(glm_folder: Path) -> None:
    state = weights(glm_folder)
    for layer in range(2):
        del state[f"transformer.layers.{layer}.mlp.dense_h_to_4h.bias"]
    state["transformer.final_layernorm.bias"] = torch.zeros(5)
    state["transformer.somewhere.weight"] = torch.zeros(1)
    rewrite(glm_folder, state)
    with pytest.raises(ModelError) as caught:
        load(glm_folder)
    assert str(caught.value).split("): ")[1] == (
        "missing: transformer.layers.{0..1}.mlp.dense_h_to_4h.bias; "
        "surplus: transformer.somewhere.weight; "
        "misshapen: transformer.final_layernorm.bias float [5] instead of float [32]; "
        "take config.json and weights of the same model"
    )
    assert "缺少：transformer.layers.{0..1}.mlp.dense_h_to_4h.bias; 多出：" in caught.value.text(
        "zh"
    )


def test_packed_weights_under_a_plain_config(glm_folder: Path, tmp_path: Path) -> None:
    load(glm_folder, quantization_bit=4).save_pretrained(tmp_path / "int4")
    with pytest.raises(
        ModelError,
        match=r"quantization_bit 0, .*surplus: .*weight_scale.*misshapen: .*int8 \[32, 16\]",
    ):
        load(tmp_path / "int4", quantization_bit=0)


def test_four_bits_are_not_eight(glm_folder: Path, tmp_path: Path) -> None:
    load(glm_folder, quantization_bit=4).save_pretrained(tmp_path / "int4")
    with pytest.raises(
        ModelError, match=r"quantization_bit 8, .*int8 \[32, 16\] instead of int8 \[32, 32\]"
    ):
        load(tmp_path / "int4", quantization_bit=8)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_file(glm_folder: Path, name: str) -> None:
    path = glm_folder / name if name.endswith("safetensors") else as_bin(glm_folder)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(
        ModelError, match=f"{name} is damaged or cut off at 5000 bytes .*: download it again"
    ) as caught:
        load(glm_folder)
    assert "\n" not in str(caught.value)


def test_a_truncated_shard(glm_folder: Path) -> None:
    shard = glm_folder / as_shards(glm_folder)[1]
    shard.write_bytes(shard.read_bytes()[:3000])
    with pytest.raises(
        ModelError, match="model-00002-of-00002.safetensors is damaged or cut off at 3000 bytes"
    ):
        load(glm_folder)


def test_a_missing_shard(glm_folder: Path) -> None:
    (glm_folder / as_shards(glm_folder)[0]).unlink()
    with pytest.raises(
        ModelError,
        match=r"lacks model-00001-of-00002.safetensors, which model.safetensors.index.json",
    ):
        load(glm_folder)


def test_a_broken_index(glm_folder: Path) -> None:
    as_shards(glm_folder)
    (glm_folder / "model.safetensors.index.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"model.safetensors.index.json is no index of shards"):
        load(glm_folder)


class Harmful:
    """What a pickle can carry: a call that would leave a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def test_a_pickle_with_code_is_refused_and_not_run(glm_folder: Path, tmp_path: Path) -> None:
    (glm_folder / "model.safetensors").unlink()
    torch.save({"weight": Harmful(tmp_path / "trace")}, glm_folder / "pytorch_model.bin")
    with pytest.raises(
        ModelError, match="holds more than tensors and is not loaded, since a pickle can run"
    ) as caught:
        load(glm_folder)
    assert not (tmp_path / "trace").exists() and "\n" not in str(caught.value)


def test_a_git_lfs_pointer(glm_folder: Path) -> None:
    (glm_folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0", "utf-8"
    )
    with pytest.raises(
        ModelError, match="is a git-lfs pointer, not the weights: run `git lfs pull`"
    ):
        load(glm_folder)


def test_a_file_that_is_no_state_dict(glm_folder: Path) -> None:
    (glm_folder / "model.safetensors").unlink()
    torch.save([1, 2], glm_folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model.bin is no state dict of tensors"):
        load(glm_folder)


def test_a_folder_without_weights(glm_folder: Path) -> None:
    (glm_folder / "model.safetensors").unlink()
    with pytest.raises(
        ModelError,
        match=r"has no weights: expected one of model.safetensors, model.safetensors.index",
    ):
        load(glm_folder)


def test_a_folder_of_another_model(llama_folder: Path) -> None:
    with pytest.raises(ModelError, match="tiny-llama is a 'llama', not a 'chatglm'"):
        load(llama_folder)


def test_an_unknown_hub_id() -> None:
    with pytest.raises(
        ModelError,
        match="no ChatGLM at 'nobody/nothing': give a folder or a hub id that can be reached",
    ):
        load(Path("nobody/nothing"))


def test_unknown_options_are_named(glm_folder: Path) -> None:
    with pytest.raises(
        ModelError,
        match="unknown options load_in_4bit, quantise: ChatGLM takes dtype, device_map and",
    ):
        load(glm_folder, quantise=4, load_in_4bit=True)
    with pytest.raises(
        ModelError, match="dtype must be float32, float16 or bfloat16, not 'float3'"
    ):
        load(glm_folder, dtype="float3")


def test_contradictions_of_a_config_are_told_at_once() -> None:
    with pytest.raises(ModelError) as caught:
        ChatGLMConfig(hidden_size=33, quantization_bit=5, rotary_dtype="float8", pre_seq_len=0)
    assert str(caught.value).count(";") == 3 and "quantization_bit must be 0, 4 or 8, not 5" in str(
        caught.value
    )


def test_generic_names_of_the_sizes() -> None:
    config = ChatGLMConfig()
    assert (config.num_hidden_layers, config.intermediate_size, config.max_position_embeddings) == (
        28,
        16384,
        2048,
    )
    assert config.head_dim == 128


def test_a_prefix_that_is_not_stored_starts_random(glm_folder: Path) -> None:
    model = load(glm_folder, pre_seq_len=6)
    assert model.get_parameter(PREFIX).shape == (6, 2 * 2 * 32)
    assert 0.8 < model.get_parameter(PREFIX).std() < 1.2
    assert [name for name, part in model.named_parameters() if part.requires_grad] == [PREFIX]


def test_a_stored_prefix_needs_its_length(glm_folder: Path, tmp_path: Path) -> None:
    load(glm_folder, pre_seq_len=6).save_pretrained(tmp_path / "whole")
    with pytest.raises(
        ModelError, match=f"pre_seq_len 7.*{PREFIX} float .6, 128. instead of float .7, 128."
    ):
        load(tmp_path / "whole", pre_seq_len=7)


@pytest.mark.parametrize("original", [True, False])
@pytest.mark.parametrize("projection", [True, False])
def test_a_prefix_checkpoint_and_back(
    glm_folder: Path, tmp_path: Path, original: bool, projection: bool
) -> None:
    trained = load(glm_folder, pre_seq_len=6, prefix_projection=projection)
    path = write_prefix(trained.transformer.prefix_encoder, tmp_path / "prefix", original=original)
    assert path.name == ("pytorch_model.bin" if original else "prefix.safetensors")
    fresh = load(glm_folder)
    assert not torch.equal(logits(fresh), logits(trained))
    fresh.load_prefix(tmp_path / "prefix")
    assert torch.equal(logits(fresh), logits(trained))
    assert {
        part.requires_grad
        for name, part in fresh.named_parameters()
        if "prefix_encoder" not in name
    } == {False}


def test_the_originals_form_is_a_plain_float32_state_dict(glm_folder: Path, tmp_path: Path) -> None:
    trained = load(glm_folder, pre_seq_len=6)
    stored = torch.load(
        write_prefix(trained.transformer.prefix_encoder, tmp_path, original=True), weights_only=True
    )
    assert [(name, part.dtype, part.shape) for name, part in stored.items()] == [
        (PREFIX, torch.float32, (6, 128))
    ]


def test_a_prefix_of_another_model(glm_folder: Path, glm: Any, pieces: Any, tmp_path: Path) -> None:
    torch.save({PREFIX: torch.zeros(6, 999)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(
        AdapterError, match=r"not for this model: embedding.weight \(6, 999\) instead of \(6, 128\)"
    ):
        load(glm_folder).load_prefix(tmp_path)


def test_a_prefix_of_another_length(glm_folder: Path, tmp_path: Path) -> None:
    torch.save({PREFIX: torch.zeros(6, 128)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(
        AdapterError, match="the prefix has 6 positions, pre_seq_len says 4: give 6"
    ):
        load(glm_folder, pre_seq_len=4).load_prefix(tmp_path)


def test_what_is_no_prefix_checkpoint(glm_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        AdapterError,
        match=r"has no prefix checkpoint: expected one of prefix.safetensors, pytorch_model",
    ):
        read_prefix(tmp_path)
    with pytest.raises(
        AdapterError,
        match=r"has no transformer.prefix_encoder.embedding.weight: it is not a P-Tuning",
    ):
        read_prefix(glm_folder)
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(AdapterError, match="is damaged or cut off"):
        read_prefix(tmp_path)


class Watched(PackedHead):
    """A head that notes how many rows it multiplies at once."""

    def rows(self, input: torch.Tensor, rows: slice) -> torch.Tensor:
        self.seen = [*getattr(self, "seen", []), len(self.weight[rows])]
        return super().rows(input, rows)


def test_the_head_is_multiplied_in_chunks() -> None:
    head, states = Watched(8, HEAD_ROWS + 3, bias=False, bits=4), torch.randn(2, 8)
    head.weight.data.random_(-100, 100)
    head.weight_scale.data.uniform_(0.1, 1)
    logits = head(states)
    assert head.seen == [HEAD_ROWS, 3]
    torch.testing.assert_close(logits, PackedLinear.forward(head, states))
