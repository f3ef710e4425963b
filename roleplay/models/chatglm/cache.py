"""The cache of keys and values: it knows its tokens' places, and holds once what all rows share.

    cache = model.transformer.new_cache()
    model(input_ids=prompt, past_key_values=cache)    # prompt ... [gMASK] sop, one row
    cache.batch_repeat_interleave(5)                  # nothing is copied
    model(input_ids=tokens, past_key_values=cache)    # [5, 1], at (mask token's place, last + 1)

Five candidates of a prompt of 512 tokens read its keys and values (0.5 GB at 6B) once a step, not
five times; new ones are written in place, so that a step copies nothing of the old.

Letters: b rows, s tokens, n heads, d head size, P shared tokens, t own tokens. Source: SPEC 2.5.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.cache_utils import Cache, DynamicLayer

from roleplay.errors import FormError
from roleplay.models.chatglm.positions import next_positions

ROOM = 16
"""Tokens that a layer makes room for at once."""

KeyValue = tuple[Tensor, Tensor]


class Pool:
    """One piece of memory for the first tokens of all layers; a piece a layer would leave holes."""

    def __init__(self, layers: int) -> None:
        self._layers = layers
        self._pieces: list[Tensor] = []

    def room(self, like: Tensor, length: int) -> KeyValue:
        """The next layer's buffers for keys and values, both [b, n, length + ROOM, d]."""
        shape = (like.shape[0], like.shape[1], length + ROOM, like.shape[3])
        if not self._pieces or self._pieces[0].shape[1:] != shape:
            self._pieces = list(like.new_empty(self._layers, 2, *shape))
        keys, values = self._pieces.pop()  # from now on the layer keeps it alive
        return keys, values


class SharedLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of a layer: shared [1, n, P, d], own [b, n, t, d] in larger buffers."""

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.is_initialized = False
        self._shared: KeyValue | None = None
        self._own: KeyValue | None = None
        self._length = 0

    @staticmethod
    def _room(rows: int, like: Tensor, length: int) -> KeyValue:
        shape = (rows, like.shape[1], length + ROOM, like.shape[3])
        return like.new_empty(shape), like.new_empty(shape)

    @property
    def own(self) -> KeyValue:
        """Own keys and values, views [b, n, t, d]."""
        assert self._own is not None, "an empty cache has no keys"
        keys, values = self._own
        return keys[:, :, : self._length], values[:, :, : self._length]

    @property
    def keys(self) -> Tensor | None:
        """All keys [b, n, P + t, d]; a copy where some are shared."""
        return self._all(0)

    @property
    def values(self) -> Tensor | None:
        """All values [b, n, P + t, d]; a copy where some are shared."""
        return self._all(1)

    def _all(self, which: int) -> Tensor | None:
        if self._own is None:
            return None
        own = self.own[which]
        if self._shared is None:
            return own
        return torch.cat([self._shared[which].expand(len(own), -1, -1, -1), own], dim=2)

    def append(self, keys: Tensor, values: Tensor) -> None:
        """Add keys and values [b, n, new, d]."""
        rows, _, count, _ = keys.shape
        if self._own is None:
            self.is_initialized = True
            self._own = (
                self._pool.room(keys, count) if self._pool else self._room(rows, keys, count)
            )
        end = self._length + count
        if keys.requires_grad:
            # New tensors: what a gradient is to flow through must not be written over.
            joined = [torch.cat(pair, dim=2) for pair in zip(self.own, (keys, values), strict=True)]
            self._own = joined[0], joined[1]
        else:
            if end > self._own[0].shape[2]:
                larger = self._room(rows, keys, end)
                for new, old in zip(larger, self.own, strict=True):
                    new[:, :, : self._length] = old
                self._own = larger
            for buffer, part in zip(self._own, (keys, values), strict=True):
                buffer[:, :, self._length : end] = part
        self._length = end

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Add keys and values; all of them, both [b, n, P + t, d]."""
        self.append(key_states, value_states)
        return self.keys, self.values

    def attend(self, query: Tensor) -> Tensor:
        """What the newest token of each row, [b, n, 1, d], takes from all keys: [b, n, 1, d]."""
        keys, values = self.own
        if self._shared is None:
            return functional.scaled_dot_product_attention(query, keys, values)
        shared_keys, shared_values = (part[0] for part in self._shared)
        # [n, b, d]: for the shared keys the rows are queries of one product, which reads them once.
        rows = query[:, :, 0].transpose(0, 1) / math.sqrt(query.shape[-1])
        to_own = (keys @ rows.transpose(0, 1)[..., None])[..., 0].transpose(0, 1)
        scores = torch.cat([rows @ shared_keys.transpose(1, 2), to_own], dim=2)
        weights = scores.float().softmax(dim=-1).to(query.dtype)  # [n, b, P + t]
        of_shared, of_own = weights[:, :, : -self._length], weights[:, :, -self._length :]
        context = (of_shared @ shared_values).transpose(0, 1)[:, :, None]  # [b, n, 1, d]
        total: Tensor = context + of_own.transpose(0, 1)[:, :, None] @ values
        return total

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Every row ``repeats`` times; what a single row holds is shared from now on."""
        if self._own is not None and self._shared is None and len(self._own[0]) == 1:
            self._shared = self.own
            self._own, self._length = self._room(repeats, self._own[0], 0), 0
        else:
            self._take(lambda part: part.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows ``indices``, int64 [kept], in this order."""
        self._take(lambda part: part[indices.to(part.device)])

    reorder_cache = batch_select_indices
    """For beam search: row i becomes row ``indices[i]``."""

    def _take(self, pick: Callable[[Tensor], Tensor]) -> None:
        if self._own is not None:
            self._own = (pick(self._own[0]), pick(self._own[1]))

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the newest tokens; their number is given as a negative one, as in transformers.

        Raises:
            FormError: more than the rows have of their own.
        """
        left = self._length + tokens_to_remove
        if left < 0:
            raise FormError("chatglm.crop", count=-tokens_to_remove, own=self._length)
        self._length = left

    def get_seq_length(self) -> int:
        """P + t."""
        return self._length + (0 if self._shared is None else self._shared[0].shape[2])


class PlaceCache(Cache):  # type: ignore[misc]
    """``places`` are the positions int64 [b, 2, s] of all cached tokens; None while it is empty.

    A prefix has keys and values but no place. Who pads passes the mask with every step instead.
    """

    def __init__(self, layers: int) -> None:
        pool = Pool(layers)
        super().__init__(layers=[SharedLayer(pool) for _ in range(layers)])
        self.places: Tensor | None = None

    def next_places(self, count: int) -> Tensor | None:
        """The positions int64 [b, 2, count] of the next answer tokens; None for an empty cache."""
        return None if self.places is None else next_positions(self.places, count)[:, :, -count:]

    def add_places(self, places: Tensor) -> None:
        """Note where new tokens stand, int64 [b, 2, new]."""
        self.places = places if self.places is None else torch.cat([self.places, places], dim=2)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Every row ``repeats`` times, one after the other."""
        super().batch_repeat_interleave(repeats)
        self._take(lambda places: places.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows ``indices``, int64 [kept], in this order."""
        super().batch_select_indices(indices)
        self._take(lambda places: places[indices])

    reorder_cache = batch_select_indices
    """For beam search: row i becomes row ``indices[i]``."""

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the newest tokens; transformers wants their number as a negative one."""
        super().crop(tokens_to_remove)
        self._take(lambda places: places[:, :, : places.shape[2] + tokens_to_remove])

    def _take(self, pick: Callable[[Tensor], Tensor]) -> None:
        self.places = None if self.places is None else pick(self.places)

    def reset(self) -> None:
        """Empty it."""
        super().reset()
        self.places = None
