"""Training a ChatGLM: gradients of packed layers, loss in chunks, checkpointing, LoRA, Trainer."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional
from transformers import Trainer, TrainingArguments

from roleplay.adapters.lora import new_lora
from roleplay.models.chatglm import ChatGLMForConditionalGeneration
from roleplay.models.chatglm.kernels.base import PLAIN
from roleplay.models.chatglm.kernels.packing import dequantize, quantize
from roleplay.models.chatglm.loss import label_loss, position_losses, summed_loss
from roleplay.models.chatglm.quantization import HEAD_ROWS, PackedHead, packed_linear
from roleplay.training.families import checkpoint_activations

PREFIX = "transformer.prefix_encoder.embedding.weight"


def load(folder: Path, **kwargs: Any) -> Any:
    return ChatGLMForConditionalGeneration.from_pretrained(folder, **kwargs)


def batch(pieces: Any) -> dict[str, torch.Tensor]:
    """Two rows, padded on the right as in training, with labels from the first answer token on."""
    rows = [
        pieces("问：你好", "灯还亮着。").input_ids,
        pieces("问：来了", "船走了。雨停了。").input_ids,
    ]
    length, pad = max(map(len, rows)), pieces.pad_token_id
    ids = torch.tensor([row + [pad] * (length - len(row)) for row in rows])
    answer = (ids == pieces.bos_token_id).cumsum(dim=1).cumsum(dim=1) > 1
    return {"input_ids": ids, "labels": ids.masked_fill(~answer | (ids == pad), -100)}


def gradients(model: Any, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(**inputs).loss.backward()
    return {
        name: part.grad.clone() for name, part in model.named_parameters() if part.grad is not None
    }


@pytest.mark.parametrize("bits", [4, 8])
def test_gradient_through_a_packed_layer(bits: int) -> None:
    packed, scale = quantize(torch.randn(7, 6), bits=bits)
    weight = dequantize(packed, scale, bits=bits, dtype=torch.float32)
    x, bias = torch.randn(2, 3, 6, requires_grad=True), torch.randn(7, requires_grad=True)
    wanted = torch.autograd.grad((functional.linear(x, weight, bias) ** 2).sum(), [x, bias])
    found = torch.autograd.grad(
        (packed_linear(x, packed, scale, bias, kernel=PLAIN[bits]) ** 2).sum(), [x, bias]
    )
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_expanded_weights_are_not_kept_for_the_backward_pass() -> None:
    packed, scale = quantize(torch.randn(64, 64), bits=4)
    kept: list[int] = []
    x = torch.randn(2, 64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda part: kept.append(part.numel()) or part, lambda part: part
    ):
        packed_linear(x, packed, scale, kernel=PLAIN[4]).sum()
    assert max(kept) == packed.numel() == 64 * 32


def heads() -> list[nn.Linear]:
    """A plain and a packed head of three chunks of rows."""
    plain, packed = (
        nn.Linear(8, 2 * HEAD_ROWS + 5, bias=False),
        PackedHead(8, 2 * HEAD_ROWS + 5, bias=False, bits=4),
    )
    packed.weight.data, packed.weight_scale.data = quantize(plain.weight.detach(), bits=4)
    return [plain, packed]


@pytest.mark.parametrize("head", heads(), ids=lambda head: type(head).__name__)
def test_the_loss_in_chunks_is_cross_entropy(head: nn.Linear) -> None:
    hidden, labels = (
        torch.randn(6, 8, requires_grad=True),
        torch.randint(0, head.out_features, (6,)),
    )
    wanted = functional.cross_entropy(head(hidden), labels, reduction="sum")
    found = summed_loss(hidden, labels, head)
    torch.testing.assert_close(found, wanted)
    slopes = [torch.autograd.grad(loss, hidden)[0] for loss in (found, wanted)]
    torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-4)


def test_weighted_positions() -> None:
    head, hidden, labels = heads()[1], torch.randn(6, 8), torch.randint(0, 9, (6,))
    weights = torch.tensor([1.0, 0.0, 0.3, 1.0, 1.0, 2.0])
    losses = functional.cross_entropy(head(hidden), labels, reduction="none")
    torch.testing.assert_close(position_losses(hidden, labels, head), losses)
    torch.testing.assert_close(
        summed_loss(hidden, labels, head, weights=weights), (losses * weights).sum()
    )


def test_a_plain_head_is_trained_through_the_loss() -> None:
    head, hidden, labels = heads()[0], torch.randn(6, 8), torch.randint(0, 9, (6,))
    (wanted,) = torch.autograd.grad(
        functional.cross_entropy(head(hidden), labels, reduction="sum"), head.weight
    )
    (found,) = torch.autograd.grad(summed_loss(hidden, labels, head), head.weight)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_only_label_positions_count_each_predicted_from_the_one_before() -> None:
    hidden, head = torch.randn(1, 4, 8), nn.Linear(8, 20, bias=False)
    labels = torch.tensor([[-100, -100, 7, -100]])
    wanted = functional.cross_entropy(head(hidden[0, 1:2]), labels[0, 2:3])
    torch.testing.assert_close(label_loss(hidden, labels, head), wanted)
    torch.testing.assert_close(label_loss(hidden, labels, head, count=4), wanted / 4)


def test_logits_are_left_out_in_training(glm: Any, pieces: Any) -> None:
    inputs = batch(pieces)
    assert glm(**inputs).logits.shape == (*inputs["input_ids"].shape, glm.config.vocab_size)
    assert glm(**inputs).past_key_values is None
    glm.train()
    assert glm(**inputs).logits is None
    assert glm(**inputs, logits_to_keep=1).logits.shape[1] == 1


FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "int4": {"quantization_bit": 4, "quantization_embeddings": True},
    "prefix": {"pre_seq_len": 4},
    "projection": {"pre_seq_len": 4, "prefix_projection": True},
    "int4-prefix": {"quantization_bit": 4, "quantization_embeddings": True, "pre_seq_len": 4},
}


@pytest.mark.parametrize("form", ["plain", "prefix", "projection", "int4-prefix"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_checkpointing_changes_no_gradient(
    glm_folder: Path, pieces: Any, form: str, attention: str
) -> None:
    model, inputs = load(glm_folder, attn_implementation=attention, **FORMS[form]), batch(pieces)
    model.train()
    model.transformer.dropout.p = 0.0
    plain = gradients(model, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.gradient_checkpointing_enable()
    assert all(block.gradient_checkpointing for block in model.transformer.layers)
    again = gradients(model, inputs)
    assert plain and plain.keys() == again.keys()
    for name, slope in plain.items():
        torch.testing.assert_close(again[name], slope)


def test_checkpointing_runs_each_block_twice(glm_folder: Path, pieces: Any) -> None:
    model, runs = load(glm_folder, pre_seq_len=4).train(), []
    checkpoint_activations(model)
    for block in model.transformer.layers:
        block.attention.register_forward_hook(lambda *_: runs.append(1))
    gradients(model, batch(pieces))
    assert len(runs) == 2 * len(model.transformer.layers)


def test_dropout_of_the_prefix_is_the_only_one(glm_folder: Path, pieces: Any) -> None:
    inputs = batch(pieces)
    plain, prefixed = load(glm_folder).train(), load(glm_folder, pre_seq_len=4).train()
    assert torch.equal(plain(**inputs).loss, plain(**inputs).loss)
    assert not torch.equal(prefixed(**inputs).loss, prefixed(**inputs).loss)
    prefixed.eval()
    assert torch.equal(prefixed(**inputs).loss, prefixed(**inputs).loss)


@pytest.mark.parametrize("form", ["plain", "int4"])
def test_lora_through_peft(glm_folder: Path, pieces: Any, tmp_path: Path, form: str) -> None:
    inputs, model = batch(pieces), new_lora(load(glm_folder, **FORMS[form]), rank=4)
    trained = {name for name, part in model.named_parameters() if part.requires_grad}
    names = ("query_key_value", "attention.dense", "dense_h_to_4h", "dense_4h_to_h")
    assert all(any(name in one for one in trained) for name in names) and all(
        "lora" in name for name in trained
    )
    losses = fit(model, inputs, steps=25, rate=1e-2)
    assert losses[-1] < 0.8 * losses[0]
    model.eval().save_pretrained(tmp_path / "lora")
    again = PeftModel.from_pretrained(load(glm_folder, **FORMS[form]), tmp_path / "lora").eval()
    prompt = pieces(["问：你好"], return_tensors="pt", padding=True)
    ids = [
        one.generate(**prompt, do_sample=False, max_new_tokens=6).tolist() for one in (model, again)
    ]
    assert ids[0] == ids[1]


def test_lora_merges_into_plain_weights(glm_folder: Path, pieces: Any) -> None:
    inputs, model = batch(pieces), new_lora(load(glm_folder), rank=4)
    fit(model, inputs, steps=3, rate=1e-2)
    wanted = model.eval()(**inputs).logits
    torch.testing.assert_close(
        model.merge_and_unload()(**inputs).logits, wanted, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("form", ["prefix", "projection", "int4-prefix"])
def test_a_prefix_learns(glm_folder: Path, pieces: Any, form: str) -> None:
    losses = fit(load(glm_folder, **FORMS[form]), batch(pieces), steps=40, rate=0.1)
    assert losses[-1] < 0.9 * losses[0]


def fit(model: Any, inputs: dict[str, torch.Tensor], *, steps: int, rate: float) -> list[float]:
    torch.manual_seed(1)
    model.train()
    optimizer, losses = (
        torch.optim.Adam([part for part in model.parameters() if part.requires_grad], lr=rate),
        [],
    )
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_the_trainer_trains_and_evaluates(glm_folder: Path, pieces: Any, tmp_path: Path) -> None:
    inputs = batch(pieces)
    rows = [{name: part[number].tolist() for name, part in inputs.items()} for number in range(2)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "trainer"),
        max_steps=4,
        learning_rate=5e-2,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=2,
        gradient_checkpointing=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    model = load(glm_folder, **FORMS["int4-prefix"])
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, eval_dataset=rows)
    with contextlib.redirect_stdout(None):
        before = trainer.evaluate()["eval_loss"]
        trainer.train()
        after = trainer.evaluate()["eval_loss"]
    assert after < before
    assert after == pytest.approx(model(**inputs).loss.item(), rel=0.2)
