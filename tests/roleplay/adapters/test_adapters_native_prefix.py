"""ChatGLM's own prefix as a checkpoint: ours, the original's, and what is not one."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from roleplay.adapters.checkpoint import (
    AdapterInfo,
    BaseModelInfo,
    check_checkpoint,
    is_original,
    load_adapter,
    save_adapter,
)
from roleplay.adapters.lora import merged, new_lora
from roleplay.adapters.native_prefix import new_native_prefix
from roleplay.errors import AdapterError
from roleplay.models import causal, loading

TABLE = "transformer.prefix_encoder.embedding.weight"


def ids(model: Any) -> torch.Tensor:
    return torch.tensor(
        [[20, 21, 22, 23, 24, model.config.gmask_token_id, model.config.bos_token_id]]
    )


def states(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return causal.hidden_states(model, ids(model))


def save(model: Any, folder: Path, *, original: bool = False, projection: bool = False) -> Any:
    """A checkpoint with a random prefix of 4 positions, and the model with it."""
    torch.manual_seed(1)
    info = AdapterInfo(kind="prefix", base=BaseModelInfo.of(model, "tiny"), pre_seq_len=4)
    new_native_prefix(model, length=4, projection=projection)
    save_adapter(model, folder, info, original=original)
    return model.eval()


@pytest.fixture
def fresh(glm_home: Path) -> Any:
    return loading.load_causal(str(glm_home))


@pytest.fixture
def checkpoint(glm: Any, tmp_path: Path) -> Path:
    save(glm, tmp_path / "mine", original=True)
    return tmp_path / "mine"


@pytest.fixture
def original(checkpoint: Path) -> Path:
    """What the original's script would have left: the .bin alone."""
    for path in checkpoint.iterdir():
        if path.name != "pytorch_model.bin":
            path.unlink()
    return checkpoint


@pytest.mark.parametrize("projection", [False, True])
def test_a_round_trip_gives_the_same_states(
    glm: Any, fresh: Any, tmp_path: Path, projection: bool
) -> None:
    saved = save(glm, tmp_path / "mine", projection=projection)
    plain = states(fresh)
    loaded, info = load_adapter(fresh, tmp_path / "mine", name="tiny")
    assert torch.equal(states(loaded), states(saved)) and not torch.allclose(
        states(loaded), plain, atol=1e-2
    )
    assert (info.kind, info.pre_seq_len) == ("prefix", 4)
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        "adapter.json",
        "prefix.safetensors",
    ]


@pytest.mark.parametrize("file", [False, True])
def test_a_checkpoint_of_the_original(glm: Any, fresh: Any, original: Path, file: bool) -> None:
    path = original / "pytorch_model.bin" if file else original
    check_checkpoint(path)
    loaded, info = load_adapter(fresh, path, name="tiny")
    assert torch.equal(states(loaded), states(glm))
    assert (info.kind, info.pre_seq_len, info.base.name) == ("prefix", 4, "tiny")


def test_a_folder_of_ours_with_both_forms_is_ours(checkpoint: Path, original: Path) -> None:
    assert is_original(original)
    (original / "adapter.json").write_text("{}", encoding="utf-8")
    assert not is_original(original)


def test_a_prefix_starts_as_the_keys_and_values_of_text(glm: Any) -> None:
    cache = causal.new_cache(glm)
    causal.hidden_states(glm, ids(glm), cache=cache)
    encoder = new_native_prefix(glm, length=5, start=ids(glm))
    slots = encoder.slots(1, torch.float32)  # type: ignore[operator]
    for layer, stored in enumerate(cache.layers):
        assert torch.equal(slots[2 * layer], stored.keys[:, :, :5])
        assert torch.equal(slots[2 * layer + 1], stored.values[:, :, :5])


def test_only_the_prefix_is_trained(glm: Any) -> None:
    new_native_prefix(glm, length=5, start=ids(glm))
    assert [name for name, part in glm.named_parameters() if part.requires_grad] == [TABLE]


def test_a_new_prefix_replaces_a_stored_one(glm: Any) -> None:
    new_native_prefix(glm, length=3)
    new_native_prefix(glm, length=5, start=ids(glm))
    assert glm.get_parameter(TABLE).shape[0] == glm.config.pre_seq_len == 5


def test_a_prefix_of_another_length_than_adapter_json_says(checkpoint: Path, fresh: Any) -> None:
    path = checkpoint / "adapter.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(info | {"pre_seq_len": 9}), encoding="utf-8")
    with pytest.raises(
        AdapterError, match="has 4 positions, adapter.json says 9: the files are of two checkpoints"
    ):
        load_adapter(fresh, checkpoint, name="tiny")


def test_a_prefix_of_another_size(fresh: Any, tmp_path: Path) -> None:
    torch.save({TABLE: torch.zeros(6, 999)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(
        AdapterError, match=r"not for this model: embedding.weight \(6, 999\) instead of \(6, 128\)"
    ):
        load_adapter(fresh, tmp_path, name="tiny")


def test_an_original_prefix_on_another_model(original: Path, llama: Any) -> None:
    with pytest.raises(
        AdapterError,
        match=r"is a prefix of the original ChatGLM script, the model is tiny \(model_typ",
    ):
        load_adapter(llama, original, name="tiny")


def test_our_prefix_on_another_model(checkpoint: Path, llama: Any) -> None:
    message = "was made for tiny (model_type chatglm, hidden_size 32, num_hidden_layers 2"
    with pytest.raises(AdapterError, match=re.escape(message)):
        load_adapter(llama, checkpoint, name="llama")


def test_missing_weights(checkpoint: Path, fresh: Any) -> None:
    (checkpoint / "prefix.safetensors").unlink()
    with pytest.raises(
        AdapterError, match="mine has no prefix.safetensors: copy the whole folder, or train again"
    ):
        load_adapter(fresh, checkpoint, name="tiny")


def test_truncated_weights(checkpoint: Path, fresh: Any) -> None:
    weights = checkpoint / "prefix.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(AdapterError, match="prefix.safetensors is damaged or cut off at"):
        load_adapter(fresh, checkpoint, name="tiny")


class Harmful:
    """What a pickle can carry: a call that would leave a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def test_a_pickle_with_code_is_refused_and_not_run(fresh: Any, tmp_path: Path) -> None:
    torch.save({TABLE: Harmful(tmp_path / "trace")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(
        AdapterError, match="holds more than tensors and is not loaded, since a pickle can run code"
    ):
        load_adapter(fresh, tmp_path, name="tiny")
    assert not (tmp_path / "trace").exists()


def test_the_originals_form_is_for_its_prefix_only(glm: Any, tmp_path: Path) -> None:
    info = AdapterInfo(kind="lora", base=BaseModelInfo.of(glm, "tiny"))
    with pytest.raises(
        AdapterError,
        match="only a ChatGLM's prefix has the original's form: leave --original-format",
    ):
        save_adapter(new_lora(glm, rank=2), tmp_path / "mine", info, original=True)


def test_lora_merges_unless_the_weights_are_packed(glm: Any, glm_home: Path) -> None:
    assert merged(new_lora(glm, rank=2)) is glm
    packed = new_lora(type(glm).from_pretrained(glm_home, quantization_bit=4), rank=2)
    assert merged(packed) is packed
