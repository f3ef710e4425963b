"""A cache of transformers that takes memory ahead, so that a new token moves nothing.

    cache = growing_cache.new()           # to be used as a DynamicCache

transformers' own copies all keys and values at each token: of 350 tokens and five candidates of the
bundled model 64 MB a step.
"""

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_AHEAD = 64
"""Tokens that memory is taken for at once."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # untyped
    """``keys`` and ``values`` [b, heads, tokens, d] are the beginning of larger tensors."""

    keys: Tensor | None
    values: Tensor | None
    _rooms: tuple[Tensor, ...] = ()
    _shown: tuple[Tensor, ...] = ()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append [b, heads, new, d] of both; gives all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        stop = start + key_states.shape[-2]
        # Who chose rows or cut the end has put other tensors in the place of those shown.
        mine = bool(self._shown) and self.keys is self._shown[0]
        if not mine or self._rooms[0].shape[-2] < stop:
            old = (self.keys, self.values) if start else (None, None)
            new = (key_states, value_states)
            self._rooms = tuple(_room(*pair, stop + _AHEAD) for pair in zip(old, new, strict=True))
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[..., start:stop, :] = states
        keys, values = (room[..., :stop, :] for room in self._rooms)
        self.keys, self.values = self._shown = keys, values
        return keys, values


def _room(old: Tensor | None, new: Tensor, size: int) -> Tensor:
    """Memory for ``size`` tokens that begins with the old ones."""
    room = new.new_empty(*new.shape[:-2], size, new.shape[-1])
    if old is not None:
        room[..., : old.shape[-2], :] = old
    return room


def new() -> DynamicCache:
    """An empty cache in which every layer keeps all keys."""
    # Made without the config: with it transformers would cut sliding layers to their window.
    cache = DynamicCache()
    cache.layer_class_to_replicate = GrowingLayer
    return cache
