"""The lean LoRA forward gives what PEFT's own gives."""

from typing import Any

import pytest
import torch

from roleplay.adapters.lora import merged, new_lora


def adapted(model: Any) -> Any:
    """With updates that are seen."""
    torch.manual_seed(1)
    peft_model = new_lora(model, rank=2)
    for name, parameter in peft_model.named_parameters():
        if "lora_" in name:
            parameter.detach().normal_(std=0.2)
    return peft_model


def peft_classes(model: Any) -> None:
    from peft.tuners.lora.layer import Linear

    for layer in model.modules():
        if type(layer).__name__ == "LeanLinear":
            layer.__class__ = Linear


@pytest.mark.parametrize("model_name", ["gemma", "llama"])
def test_logits_and_gradients_are_pefts(model_name: str, request: pytest.FixtureRequest) -> None:
    model = adapted(request.getfixturevalue(model_name)).eval()
    ids, found = torch.tensor([[1, 5, 9, 3]]), []
    for change in (lambda part: None, peft_classes):
        change(model)
        model.zero_grad()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        found.append(
            [
                loss.detach(),
                *(part.grad.clone() for part in model.parameters() if part.requires_grad),
            ]
        )
    for lean, wanted in zip(*found, strict=True):
        torch.testing.assert_close(lean, wanted)


def test_the_base_model_alone_and_the_merged_one(gemma: Any) -> None:
    ids = torch.tensor([[1, 5, 9, 3]])
    base = gemma(input_ids=ids).logits
    model = adapted(gemma).eval()
    with_update = model(input_ids=ids).logits
    assert not torch.allclose(with_update, base, atol=1e-3)
    with model.disable_adapter():
        torch.testing.assert_close(model(input_ids=ids).logits, base)
    torch.testing.assert_close(
        merged(model)(input_ids=ids).logits, with_update, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(("lean", "name"), [(True, "LeanLinear"), (False, "Linear")])
def test_all_lora_layers_are_lean_unless_pefts_are_wanted(
    gemma: Any, lean: bool, name: str
) -> None:
    model = new_lora(gemma, rank=2, lean=lean)
    kinds = {type(layer).__name__ for layer in model.modules() if hasattr(layer, "lora_A")}
    assert kinds == {name}
