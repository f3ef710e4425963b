"""One token a row in tensors that never move or grow, so that a CUDA graph can replay the step.

    output = model(input_ids=ids, attention_mask=real, past_key_values=DynamicCache())
    step = StaticStep(model, output.past_key_values, positions=positions, real=real, room=256)
    step.capture()               # on a GPU; without it the same step runs as usual
    logits = step(next_ids)      # [b, v], at most ``room`` times

On a GPU a step of small kernels is bound by launching them from Python, about a thousand for 28
layers; a graph launches them at once. The step counts its own positions and opens its own mask
inside the graph. Ends, sampling and growing are the caller's.

Letters: b batch, n heads, P prefix, s tokens so far, K = P + s + room, d head size, v vocabulary.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from roleplay.errors import FormError
from roleplay.models.chatglm.cache import KeyValue
from roleplay.models.chatglm.modeling import BLOCKED
from roleplay.models.chatglm.positions import next_positions

_ALIGNED = 8
"""Attention on a GPU wants masks of whole eights of keys."""


class _Slots:
    """Keys and values, [b, n, K, d] a layer; new ones are written at slot ``at``, int64 [1]."""

    def __init__(self, filled: Any, room: int) -> None:
        # A tensor, not a number: the graph replays what was recorded, and only memory can change.
        self.at = torch.tensor([filled.get_seq_length()], device=filled.layers[0].keys.device)
        room += -(filled.get_seq_length() + room) % _ALIGNED
        self.keys = [functional.pad(layer.keys, (0, 0, 0, room)) for layer in filled.layers]
        self.values = [functional.pad(layer.values, (0, 0, 0, room)) for layer in filled.layers]

    def update(self, key: Tensor, value: Tensor, index: int) -> KeyValue:
        """As transformers' caches: take the new [b, n, 1, d] of a layer and give back all of it."""
        keys, values = self.keys[index], self.values[index]
        return keys.index_copy_(2, self.at, key), values.index_copy_(2, self.at, value)


class StaticStep:
    """A model after a prefill; each call feeds one token a row and gives the logits after it."""

    def __init__(
        self, model: Any, filled: Any, *, positions: Tensor, real: Tensor | None = None, room: int
    ) -> None:
        """Copy the keys and values of a prefill into buffers.

        Args:
            model: a ChatGLMForConditionalGeneration in evaluation, with the attention "sdpa".
            filled: transformers' DynamicCache of its prefill, which is not needed any more.
            positions: int64 [b, 2, s] of the prefill.
            real: 0/1 [b, s], 0 at padding; None where there is none.
            room: tokens that may follow.
        """
        assert model.config._attn_implementation == "sdpa", "the eager attention takes another mask"
        self.model, self.slots, self.room = model, _Slots(filled, room), room
        batch, start, keys = len(positions), int(self.slots.at), self.slots.keys[0]
        self.ids = torch.zeros(batch, 1, dtype=torch.int64, device=positions.device)
        self.positions = next_positions(positions)[:, :, -1:].clone()
        self.mask = keys.new_full((batch, 1, 1, keys.shape[2]), BLOCKED)
        self.mask[..., :start] = 0
        if real is not None:  # it does not count the prefix, so that it stands at the end
            own = self.mask[..., start - real.shape[1] : start]
            own.masked_fill_(real[:, None, None] == 0, BLOCKED)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._logits: Tensor | None = None

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits [b, v] after ``ids`` int64 [b]; with a graph the next call overwrites them.

        Raises:
            FormError: called more often than there is room for.
        """
        if self.room == 0:
            raise FormError("chatglm.no-step")
        self.room -= 1
        self.ids.copy_(ids[:, None])
        if self._graph is None or self._logits is None:
            return self._run()
        self._graph.replay()
        return self._logits

    @torch.no_grad()
    def _run(self) -> Tensor:
        body = self.model.transformer
        self.mask.index_fill_(3, self.slots.at, 0)
        states = body.word_embeddings(self.ids)
        rotary = body._rotary(self.positions, states.dtype)
        for block in body.layers:
            states, _ = block(states, rotary, self.mask, None, past_key_values=self.slots)
        logits: Tensor = self.model.lm_head(body.final_layernorm(states))[:, -1]
        self.positions[:, 1] += 1
        self.slots.at += 1
        return logits

    def capture(self) -> None:
        """Record the step as a CUDA graph; what the runs for it change is put back."""
        state = (self.slots.at, self.positions, self.mask)
        before = [part.clone() for part in state]
        # As torch's documentation asks: warmed up on another stream than the one that is recorded.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                self._run()  # compiles kernels and makes tables, which a recording may not do
                for part, old in zip(state, before, strict=True):
                    part.copy_(old)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = self._run()
