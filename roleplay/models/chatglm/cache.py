"""The cache of keys and values: it knows where its tokens stand, and what all rows share stands in it once.

    cache = model.transformer.new_cache()
    model(input_ids=prompt, past_key_values=cache)        # prompt ... [gMASK] sop, one row
    cache.batch_repeat_interleave(5)                      # nothing is copied
    model(input_ids=tokens, past_key_values=cache)        # [5, 1], at (place of the mask token, last + 1)

Five candidates of a prompt of 512 tokens read its keys and values (0.5 GB at 6B) once a step, not five times; new ones are
written in place, so that a step copies nothing of the old.

Letters: b rows, s tokens, n heads, d head size, P shared tokens, t own tokens. Source of the places: SPEC 2.5.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional
from transformers.cache_utils import Cache, CacheLayerMixin

from roleplay.models.chatglm.positions import next_positions

ROOM = 16
"""Tokens that a layer makes room for at once."""

KeyValue = tuple[torch.Tensor, torch.Tensor]


class Pool:
    """One piece of memory for the first tokens of all layers: pieces a layer leave holes between what comes and goes."""

    def __init__(self, layers: int) -> None:
        """Nothing is taken before the first layer asks."""
        self._layers, self._left = layers, 0
        self._whole: torch.Tensor | None = None

    def room(self, like: torch.Tensor, length: int) -> KeyValue:
        """The next layer's buffers for keys and values, both [b, n, length + ROOM, d]."""
        shape = (like.shape[0], like.shape[1], length + ROOM, like.shape[3])
        if self._whole is None or self._whole.shape[2:] != shape or not self._left:
            self._whole, self._left = like.new_empty(self._layers, 2, *shape), self._layers
        self._left -= 1
        piece = self._whole[self._left]
        if not self._left:
            self._whole = None  # the layers keep it alive
        return piece[0], piece[1]


class SharedLayer(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values of one layer: shared [1, n, P, d], and own [b, n, t, d] in buffers with room for more."""

    is_croppable = True

    def __init__(self, pool: Pool | None = None, **kwargs: Any) -> None:
        """Empty; ``pool`` gives room for the first tokens."""
        self._pool = pool
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.is_initialized = False
        self._shared: KeyValue | None = None
        self._own: KeyValue | None = None
        self._length = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make room for the first keys and values."""
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        rows, _, length, _ = key_states.shape
        self._own = self._pool.room(key_states, length) if self._pool else self._room(rows, key_states, length)

    @staticmethod
    def _room(rows: int, like: torch.Tensor, length: int) -> KeyValue:
        shape = (rows, like.shape[1], length + ROOM, like.shape[3])
        return like.new_empty(shape), like.new_empty(shape)

    @property
    def own(self) -> KeyValue:
        """Own keys and values, views [b, n, t, d]."""
        assert self._own is not None, "an empty cache has no keys"
        keys, values = self._own
        return keys[:, :, : self._length], values[:, :, : self._length]

    @property
    def keys(self) -> torch.Tensor | None:
        """All keys [b, n, P + t, d]; a copy where some are shared."""
        return self._whole(0)

    @property
    def values(self) -> torch.Tensor | None:
        """All values [b, n, P + t, d]; a copy where some are shared."""
        return self._whole(1)

    def _whole(self, which: int) -> torch.Tensor | None:
        if self._own is None:
            return None
        own = self.own[which]
        if self._shared is None:
            return own
        return torch.cat([self._shared[which].expand(len(own), -1, -1, -1), own], dim=2)

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Add keys and values [b, n, new, d]."""
        if self._own is None:
            self.lazy_initialization(keys, values)
        end = self._length + keys.shape[2]
        self._own = self._joined((keys, values)) if keys.requires_grad else self._written((keys, values), end)
        self._length = end

    def _joined(self, parts: KeyValue) -> KeyValue:
        """New tensors: what a gradient is to flow through must not be written over."""
        keys, values = (torch.cat([old, part], dim=2) for old, part in zip(self.own, parts, strict=True))
        return keys, values

    def _written(self, parts: KeyValue, end: int) -> KeyValue:
        """The buffers, moved to larger ones if need be, with ``parts`` up to ``end``."""
        buffers = self._own
        assert buffers is not None
        if end > buffers[0].shape[2]:
            buffers = self._room(len(parts[0]), parts[0], end)
            for new, old in zip(buffers, self.own, strict=True):
                new[:, :, : self._length] = old
        for buffer, part in zip(buffers, parts, strict=True):
            buffer[:, :, self._length : end] = part
        return buffers

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> KeyValue:
        """Add keys and values; all of them, [b, n, P + t, d]."""
        self.append(key_states, value_states)
        keys, values = self.keys, self.values
        assert keys is not None and values is not None
        return keys, values

    def attend(self, query: torch.Tensor) -> torch.Tensor:
        """What the newest token of each row, float [b, n, 1, d], takes from all keys: [b, n, 1, d]."""
        keys, values = self.own
        if self._shared is None:
            return functional.scaled_dot_product_attention(query, keys, values)
        shared_keys, shared_values = (part[0] for part in self._shared)
        rows = query[:, :, 0].transpose(0, 1) / math.sqrt(query.shape[-1])  # [n, b, d]: rows are queries of one product
        scores = torch.cat(
            [rows @ shared_keys.transpose(1, 2), (keys @ rows.transpose(0, 1)[..., None])[..., 0].transpose(0, 1)],
            dim=2,
        )
        weights = scores.float().softmax(dim=-1).to(query.dtype)  # [n, b, P + t]
        of_shared, of_own = weights[:, :, : -self._length], weights[:, :, -self._length :]
        context: torch.Tensor = (of_shared @ shared_values).transpose(0, 1)[:, :, None]  # [b, n, 1, d]
        return context + of_own.transpose(0, 1)[:, :, None] @ values

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Every row ``repeats`` times; what a single row holds is shared from now on."""
        if self._own is None:
            return
        if self._shared is None and len(self._own[0]) == 1:
            self._shared = self.own
            self._own, self._length = self._room(repeats, self._own[0], 0), 0
        else:
            self._take(lambda part: part.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows ``indices``."""
        self._take(lambda part: part[indices.to(part.device)])

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Replace row i by row ``beam_idx[i]``."""
        self.batch_select_indices(beam_idx)

    def _take(self, pick: Any) -> None:
        if self._own is not None:
            self._own = (pick(self._own[0]), pick(self._own[1]))

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the newest tokens; their number is given as a negative one, as in transformers.

        Raises:
            ValueError: more than the rows have of their own.
        """
        if self._length + tokens_to_remove < 0:
            raise ValueError(f"{-tokens_to_remove} tokens cannot be removed: {self._length} are not shared by the rows")
        self._length += tokens_to_remove

    def get_seq_length(self) -> int:
        """P + t."""
        return self._length + (0 if self._shared is None else self._shared[0].shape[2])

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(keys after the next ``query_length`` tokens, 0)."""
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        """No maximum."""
        return -1


class PlaceCache(Cache):  # type: ignore[misc]
    """``places`` are the positions int64 [b, 2, s] of all cached tokens; None while it is empty.

    A prefix has keys and values but no place. Rows without padding only: who pads passes the mask with every step.
    """

    def __init__(self, layers: int) -> None:
        """Empty, for so many layers."""
        pool = Pool(layers)
        super().__init__(layers=[SharedLayer(pool) for _ in range(layers)])
        self.places: torch.Tensor | None = None

    def attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layer: int) -> torch.Tensor:
        """Add the keys and values of one new token a row, and what its query takes from all: float [b, n, 1, d]."""
        self.layers[layer].append(key, value)
        context: torch.Tensor = self.layers[layer].attend(query)
        return context

    def next_places(self, count: int) -> torch.Tensor | None:
        """The positions int64 [b, 2, count] of the next answer tokens; None for an empty cache."""
        return None if self.places is None else next_positions(self.places, count)[:, :, -count:]

    def add_places(self, places: torch.Tensor) -> None:
        """Note where new tokens stand, int64 [b, 2, new]."""
        self.places = places if self.places is None else torch.cat([self.places, places], dim=2)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Every row ``repeats`` times, one after the other."""
        super().batch_repeat_interleave(repeats)
        self.places = None if self.places is None else self.places.repeat_interleave(repeats, dim=0)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows ``indices``, int64 [kept], in this order."""
        super().batch_select_indices(indices)
        self.places = None if self.places is None else self.places[indices]

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Replace row i by row ``beam_idx[i]``."""
        super().reorder_cache(beam_idx)
        self.places = None if self.places is None else self.places[beam_idx]

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the newest tokens; transformers wants their number as a negative one."""
        super().crop(tokens_to_remove)
        if self.places is not None:
            self.places = self.places[:, :, : self.places.shape[2] + tokens_to_remove]

    def reset(self) -> None:
        """Empty it."""
        super().reset()
        self.places = None
