"""Without its adapter a model computes what it did before it had one, and gets it back."""

from typing import Any

import pytest
import torch

from roleplay.adapters.base_model import without_adapter
from roleplay.adapters.lora import new_lora
from roleplay.adapters.native_prefix import new_native_prefix
from roleplay.adapters.prefix import new_prefix
from roleplay.models import causal

IDS = torch.tensor([[1, 5, 9, 7]])


@pytest.mark.parametrize("kind", ["lora", "prefix"])
def test_peft(gemma: Any, kind: str) -> None:
    before = causal.hidden_states(gemma, IDS)
    adapted = new_lora(gemma, rank=2) if kind == "lora" else new_prefix(gemma, length=3)
    adapted.eval()
    for name, value in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(value)
    with without_adapter(adapted) as base:
        torch.testing.assert_close(causal.hidden_states(base, IDS), before)
    if kind == "lora":
        assert not torch.allclose(causal.hidden_states(adapted, IDS), before)


def test_a_prefix_of_its_own(glm: Any, pieces: Any) -> None:
    ids = torch.tensor([causal.encode_prompt(pieces, ["灯亮着。"])])
    before = causal.hidden_states(glm, ids)
    new_native_prefix(glm, length=3)
    after = causal.hidden_states(glm, ids)
    assert not torch.allclose(after, before)
    with without_adapter(glm) as base:
        torch.testing.assert_close(causal.hidden_states(base, ids), before)
    torch.testing.assert_close(causal.hidden_states(glm, ids), after)
