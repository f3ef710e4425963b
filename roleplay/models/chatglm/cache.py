"""A cache of keys and values that also knows where its tokens stand, so that a step needs the new ids only.

    cache = model.transformer.new_cache()
    model(input_ids=prompt, past_key_values=cache)        # prompt ... [gMASK] sop
    model(input_ids=token, past_key_values=cache)         # stands at (place of the mask token, last + 1)

Letters: b batch, s tokens. Source: SPEC 2.5.
"""

from __future__ import annotations

import torch
from transformers import DynamicCache

from roleplay.models.chatglm.positions import next_positions


class PlaceCache(DynamicCache):  # type: ignore[misc]
    """``places`` are the positions int64 [b, 2, s] of all cached tokens; None while it is empty.

    A prefix has keys and values but no place. Rows without padding only: who pads passes the mask with every step.
    """

    def __init__(self) -> None:
        """Empty, with every layer whole."""
        super().__init__()
        self.places: torch.Tensor | None = None

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
