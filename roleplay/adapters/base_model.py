"""The model as it is without its adapter, for a while.

with without_adapter(adapted) as model:
    hidden = hidden_states(model, ids)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from roleplay.adapters.prefix import length_of
from roleplay.models import causal


@contextmanager
def without_adapter(model: Any) -> Iterator[Any]:
    """Yield what computes as the base model: below PEFT's prefix, or with LoRA or its own off."""
    if length_of(model):
        yield model.get_base_model()
    elif hasattr(model, "disable_adapter"):
        with model.disable_adapter():
            yield model
    else:
        config = causal.body(model).config
        length, config.pre_seq_len = getattr(config, "pre_seq_len", None), None
        try:
            yield model
        finally:
            config.pre_seq_len = length
