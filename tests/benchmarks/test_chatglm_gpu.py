"""The GPU benchmark at toy size on the CPU prints its tables, and its count of memory is one."""

from importlib.metadata import version

import pytest
import torch
from torch import nn

from benchmarks import chatglm_gpu
from benchmarks.chatglm_memory import Allocations, step_peaks
from benchmarks.chatglm_random import (
    SIZES_TOY,
    int4_config,
    random_chatglm,
    random_prompt,
    training_batch,
)

CPU = torch.device("cpu")
TOY = ["--device", "cpu", "--toy", "--layers", "2", "--prefix", "4"]


def test_decoding_and_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert chatglm_gpu.main([*TOY, "--tokens", "3", "--prompt", "20", "--lengths", "40"]) == 0
    told = capsys.readouterr().out
    assert f"torch {version('torch')}" in told and "GB/s: at most" in told
    assert "### Decoding after 64 tokens, 2 layers" in told
    assert "| plain, one by one | " in told and "| plain, static | " in told
    assert "### Training step, prefix 4, batch 1, 2 layers" in told and "\n| 40 | " in told


def test_training_memory(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "--part",
        "training-memory",
        "--toy",
        "--layers",
        "3",
        "--prefix",
        "4",
        "--lengths",
        "40",
        "60",
    ]
    assert chatglm_gpu.main(arguments) == 0
    told = capsys.readouterr().out
    assert (
        "### Peak memory of a training step" in told and "\n| 40 | " in told and "\n| 60 | " in told
    )
    assert "| 1 layers, MB above the weights | 2 layers, MB above the weights | MB a layer" in told


def test_the_full_size_needs_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        chatglm_gpu.main(["--device", "cpu"])
    assert "without a GPU: --part training-memory, or --device cpu --toy" in capsys.readouterr().err


def test_what_is_not_computed_is_counted_all_the_same() -> None:
    found = [
        [
            peak
            for _, _, peak in step_peaks(
                SIZES_TOY, layers=2, lengths=[48, 96], prefix=8, computed=computed
            )
        ]
        for computed in (True, False)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_allocations_are_counted_while_they_live() -> None:
    model = nn.Linear(8, 8)
    with Allocations(model) as count:
        first = torch.zeros(1000)
        view = first[10:] + 1
        assert count.live == 4000 + 3960
        del first
        assert (count.live, count.peak) == (3960, 7960)
        assert model.weight.view(-1).data_ptr() and count.live == 3960
        del view
    assert (count.live, count.peak) == (0, 7960)


def test_a_random_model_is_whole_and_finite() -> None:
    config = int4_config(SIZES_TOY, layers=2, prefix=4)
    model = random_chatglm(config, device=CPU, dtype=torch.float32)
    assert model.lm_head.weight.data_ptr() == model.transformer.word_embeddings.weight.data_ptr()
    assert all(not part.is_meta for part in model.state_dict().values())
    ids, labels = training_batch(config, 40, device=CPU)
    assert ids.shape == (1, 40) and int((labels == -100).sum()) == 15
    assert model(input_ids=ids, labels=labels).loss.isfinite()


@pytest.mark.parametrize("length", [2, 30])
def test_a_random_prompt_ends_as_prompts_do(length: int) -> None:
    config = int4_config(SIZES_TOY, layers=1)
    assert random_prompt(config, length, device=CPU)[0, -2:].tolist() == [501, 504]
