"""A handful of rows: the other order of multiplication gives the same."""

import pytest
import torch
from torch import nn

from roleplay.models import small_batch


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 5, 16, 17])
def test_few_rows_linear_is_linear(rows: int, bias: bool) -> None:
    layer = nn.Linear(6, 7, bias=bias)
    states = torch.randn(rows, 1, 6)
    expected = layer(states)
    small_batch.use_few_rows_linear(nn.Sequential(layer))
    assert type(layer) is small_batch.FewRowsLinear
    torch.testing.assert_close(layer(states), expected)
