"""Attention as products gives what torch's own gives, in value and gradient."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from roleplay.models import causal
from roleplay.training.attention import attend, use_products


@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_those_of_torch(masked: bool) -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 4, 5, 8, requires_grad=True)
    key, value = (torch.randn(2, 2, 7, 8, requires_grad=True) for _ in range(2))
    mask = torch.ones(5, 7, dtype=torch.bool).tril(2)
    mask[4, 1] = not masked
    expected = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, enable_gqa=True
    )
    found, _ = attend(None, query, key, value, mask[None, None] if masked else None)
    torch.testing.assert_close(found.transpose(1, 2), expected)
    slopes = [
        torch.autograd.grad(one.square().sum(), (query, key, value)) for one in (found, expected)
    ]
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("name", ["gemma", "llama"])
def test_a_whole_model_with_a_past(name: str, request: pytest.FixtureRequest) -> None:
    model: Any = request.getfixturevalue(name)
    ids = torch.arange(3, 23)[None]

    def states() -> torch.Tensor:
        cache = causal.new_cache(model)
        causal.hidden_states(model, ids[:, :6], cache=cache, prefix_length=6)
        return causal.hidden_states(model, ids[:, 6:], cache=cache, prefix_length=6)

    expected = states()
    use_products(model)
    assert model.config._attn_implementation == "products"
    torch.testing.assert_close(states(), expected, atol=1e-4, rtol=1e-4)
