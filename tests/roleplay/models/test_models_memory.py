"""What a model needs, from the headers of its files; what does not fit is told before loading."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from roleplay.errors import ModelError
from roleplay.models import loading, memory
from roleplay.models.chatglm import ChatGLMConfig


def held(model: Any) -> int:
    """Bytes of the parameters, each tensor once."""
    parts = {part.data_ptr(): part for part in model.state_dict().values()}
    return sum(part.numel() * part.element_size() for part in parts.values())


def weights_only(folder: Path, config: Any, dtype: torch.dtype, bits: int = 0) -> int:
    paths = memory.weight_files(str(folder))
    need = memory.needed_bytes(paths, config, dtype=dtype, bits=bits)
    return need - memory.cache_bytes(config, dtype) - memory.OVERHEAD


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_stored_weights_are_counted_in_the_dtype_they_get(
    glm_home: Path, dtype: torch.dtype
) -> None:
    model = loading.load_causal(str(glm_home), dtype=dtype)
    assert weights_only(glm_home, model.config, dtype) == held(model)


def test_float16_on_disk_doubles_in_float32(glm: Any, glm_folder: Path) -> None:
    path = glm_folder / "model.safetensors"
    save_file({name: part.half() for name, part in load_file(path).items()}, path)
    assert weights_only(glm_folder, glm.config, torch.float32) == held(
        loading.load_causal(str(glm_folder))
    )


@pytest.mark.parametrize("bits", [4, 8])
def test_layers_that_are_quantized_on_load(glm_home: Path, bits: int) -> None:
    model = loading.load_causal(str(glm_home), quantization_bit=bits)
    scales = sum(
        part.numel() * 4
        for name, part in model.state_dict().items()
        if name.endswith("weight_scale")
    )
    assert weights_only(glm_home, model.config, torch.float32, bits) == held(model) - scales


def test_packed_weights_are_counted_as_they_are(glm: Any, glm_home: Path, tmp_path: Path) -> None:
    settings = {"quantization_bit": 4, "quantization_embeddings": True}
    packed = type(glm).from_pretrained(glm_home, kernel="plain", **settings)
    packed.save_pretrained(tmp_path)
    assert weights_only(tmp_path, packed.config, torch.float32) == held(packed)


def as_bin(glm: Any, folder: Path, **kwargs: Any) -> Path:
    """As the original stores it: the embedding a second time as the head."""
    torch.save(
        {name: part.half() for name, part in glm.state_dict().items()},
        folder / "pytorch_model.bin",
        **kwargs,
    )
    return folder / "pytorch_model.bin"


def test_a_bin_file(glm: Any, glm_home: Path, tmp_path: Path) -> None:
    as_bin(glm, tmp_path)
    assert weights_only(tmp_path, glm.config, torch.float32) == held(
        loading.load_causal(str(glm_home))
    )


def test_a_bin_file_of_the_old_form_is_taken_for_16_bit_numbers(glm: Any, tmp_path: Path) -> None:
    size = as_bin(glm, tmp_path, _use_new_zipfile_serialization=False).stat().st_size
    assert weights_only(tmp_path, glm.config, torch.float32) == 2 * size


def test_the_cache_of_chatglm_at_its_whole_context() -> None:
    assert memory.cache_bytes(ChatGLMConfig(), torch.float32) == 2 * 28 * 2048 * 4096 * 4


def test_the_cache_counts_no_more_than_this_program_asks_for(gemma: Any) -> None:
    gemma.config.max_position_embeddings = 131072
    assert memory.cache_bytes(gemma.config, torch.float32) == 2 * 4 * memory.CONTEXT * 2 * 8 * 4


def test_a_file_that_cannot_be_read_is_left_to_loading(glm_folder: Path) -> None:
    path = glm_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    assert memory.stored_tensors(path) == []
    with pytest.raises(
        ModelError,
        match="model.safetensors is damaged or cut off at 1000 bytes .*: download it again",
    ):
        loading.load_causal(str(glm_folder))


def test_the_numbers_are_told() -> None:
    memory.check_memory("chatglm-6b", 7_900_000_000, 7_900_000_000)
    with pytest.raises(ModelError) as caught:
        memory.check_memory("chatglm-6b", 13_200_000_000, 7_900_000_000)
    assert caught.value.text("zh").startswith("chatglm-6b 大约需要 13.2 GB 内存，现在只剩 7.9 GB：")
    assert str(caught.value) == (
        "chatglm-6b needs about 13.2 GB, 7.9 GB are free: choose an int4 model, "
        "--quantization-bit 4 (ChatGLM), "
        "or close programs"
    )


def test_a_model_that_does_not_fit_is_refused_before_loading(glm_folder: Path) -> None:
    """Eight terabytes, of which the disk holds one page."""
    (glm_folder / "model.safetensors").unlink()
    size = 8 * 10**12
    entry = {"dtype": "F16", "shape": [2 * 10**6, 2 * 10**6], "data_offsets": [0, size]}
    header = json.dumps({"transformer.word_embeddings.weight": entry}).encode()
    with (glm_folder / "model.safetensors").open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.truncate(8 + len(header) + size)
    with pytest.raises(
        ModelError,
        match=r"chatglm needs about 16000\.\d GB, [\d.]+ GB are free: choose an int4 model",
    ):
        loading.load_causal(str(glm_folder))


def test_free_memory_is_between_nothing_and_everything() -> None:
    assert 0 < memory.available_bytes(torch.device("cpu")) < 10**14


def test_only_a_chatglm_is_quantized(
    llama_folder: Path, glm: Any, glm_home: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        ModelError, match="--quantization-bit is for ChatGLM, .*tiny-llama is a llama: leave it out"
    ):
        loading.load_causal(str(llama_folder), quantization_bit=4)
    type(glm).from_pretrained(glm_home, quantization_bit=4).save_pretrained(tmp_path)
    assert loading.load_causal(str(tmp_path), quantization_bit=4).config.quantization_bit == 4
    with pytest.raises(
        ModelError, match="is stored in 4 bits and cannot be had in 8: leave --quantization-bit out"
    ):
        loading.load_causal(str(tmp_path), quantization_bit=8)


def group(folder: Path, files: dict[str, object]) -> None:
    """A control group as the kernel shows it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n")


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/box/inner\n")
    group(
        tmp_path / "fs" / "box",
        {"memory.max": 900, "memory.current": 500, "memory.stat": "anon 1\ninactive_file 100"},
    )
    group(
        tmp_path / "fs" / "box" / "inner",
        {"memory.max": "max", "memory.current": 5, "memory.stat": "inactive_file 1"},
    )
    assert memory.control_group_free(tmp_path / "fs", tmp_path / "own") == [500]


def test_the_older_form_of_a_containers_limit(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("5:cpu:/\n4:memory:/box\n")
    files = {
        "memory.limit_in_bytes": 900,
        "memory.usage_in_bytes": 950,
        "memory.stat": "total_inactive_file 20",
    }
    group(tmp_path / "fs" / "memory" / "box", files)
    assert memory.control_group_free(tmp_path / "fs", tmp_path / "own") == [0]


def test_without_control_groups_nothing_is_limited(tmp_path: Path) -> None:
    assert memory.control_group_free(tmp_path, tmp_path / "none") == []
