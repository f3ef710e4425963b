"""The body of Gemma 3 for answering on a CPU: as transformers', with int8 weights and few calls.

    if gemma3.suits(model):
        model.model = gemma3.Body(model.model)

A step of one token is hundreds of small operations in transformers, which take longer on two cores
than the products; here a layer is some twenty. What layers share a matrix's input is one matrix.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from roleplay.models.int8 import GROUP, Int8Linear, Int8Weight


def suits(model: Any) -> bool:
    """Whether a model is a Gemma 3 of text as the family's own are: nothing added, all plain."""
    config = model.config
    if config.model_type != "gemma3_text" or "sliding_attention" not in config.layer_types:
        return False
    extras = ("attention_bias", "attn_logit_softcapping", "use_bidirectional_attention")
    if any(getattr(config, name, None) for name in extras):
        return False
    ropes = {config.rope_parameters[kind]["rope_type"] for kind in config.layer_types}
    widths = (config.hidden_size, config.intermediate_size, config.head_dim)
    fits = not any(width % GROUP for width in widths)
    return fits and ropes == {"default"} and config.hidden_activation == "gelu_pytorch_tanh"


class Body(nn.Module):
    """All layers; called as transformers' decoder is, with masks of ``causal.layer_masks``."""

    def __init__(self, decoder: Any) -> None:
        """Take the weights of a ``Gemma3TextModel``, whose embedding may be packed already."""
        super().__init__()
        self.config, self.embed_tokens = decoder.config, decoder.embed_tokens
        self.layers = nn.ModuleList(Layer(layer, decoder.config) for layer in decoder.layers)
        self.norm, self.eps = _weight(decoder.norm), decoder.config.rms_norm_eps
        kinds = self.kinds = list(decoder.config.layer_types)
        rotary = decoder.rotary_emb
        self.frequencies = {kind: getattr(rotary, f"{kind}_inv_freq") for kind in set(kinds)}

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        attention_mask: dict[str, Tensor | None],
        past_key_values: Any = None,
        use_cache: bool = True,
    ) -> Any:
        """``last_hidden_state`` float32 [b, q, h] of ``input_ids`` int64 [b, q].

        Args:
            position_ids: int64 [1 or b, q].
            attention_mask: bool [1 or b, 1, q, k] by the type of a layer, None where all is seen.
        """
        states = self.embed_tokens(input_ids)
        turns = {kind: self._turn(position_ids, kind) for kind in self.frequencies}
        for number, (kind, layer) in enumerate(zip(self.kinds, self.layers, strict=True)):
            cache = (past_key_values, number) if use_cache else None
            states = layer(states, turns[kind], attention_mask[kind], cache)
        states = functional.rms_norm(states, states.shape[-1:], self.norm, self.eps)
        return SimpleNamespace(last_hidden_state=states)

    def get_decoder(self) -> "Body":
        """Itself: how transformers looks for the body of a model."""
        return self

    def _turn(self, positions: Tensor, kind: str) -> tuple[Tensor, Tensor]:
        """Cosine and sine [1 or b, q, 1, d / 2] of what each position is turned by."""
        angles = positions[..., None, None].float() * self.frequencies[kind]
        return angles.cos(), angles.sin()


class Layer(nn.Module):
    """Attention and feed-forward, each between two norms."""

    def __init__(self, layer: Any, config: Any) -> None:
        super().__init__()
        attention, feed = layer.self_attn, layer.mlp
        self.heads, self.groups = config.num_attention_heads, config.num_key_value_heads
        self.width, self.eps = config.head_dim, config.rms_norm_eps
        self.scale = config.query_pre_attn_scalar**-0.5
        self.qkv = _joined(attention.q_proj, attention.k_proj, attention.v_proj)
        self.o, self.down = _joined(attention.o_proj), _joined(feed.down_proj)
        self.gate_up = _joined(feed.gate_proj, feed.up_proj)
        norms = ((attention.q_norm, self.heads), (attention.k_norm, self.groups))
        each = torch.cat([_weight(norm).expand(count, -1) for norm, count in norms])
        self.turned = nn.Parameter(each, requires_grad=False)
        self.before = _weight(layer.input_layernorm)
        self.after = _weight(layer.post_attention_layernorm)
        self.before_feed = _weight(layer.pre_feedforward_layernorm)
        self.after_feed = _weight(layer.post_feedforward_layernorm)

    def forward(
        self,
        states: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: tuple[Any, int] | None,
    ) -> Tensor:
        """float32 [b, q, h] -> [b, q, h]; ``cache`` is one of transformers and a layer's number."""
        heard = self._attention(self._norm(states, self.before), turn, mask, cache)
        states = states + self._norm(heard, self.after)
        gate, up = self.gate_up(self._norm(states, self.before_feed)).chunk(2, dim=-1)
        made = self.down(functional.gelu(gate, approximate="tanh") * up)
        return states + self._norm(made, self.after_feed)

    def _attention(
        self,
        states: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: tuple[Any, int] | None,
    ) -> Tensor:
        b, q, _ = states.shape
        found = self.qkv(states).view(b, q, -1, self.width)
        turning, values = found[:, :, : -self.groups], found[:, :, -self.groups :]
        turning = functional.rms_norm(turning, (self.width,), None, self.eps) * self.turned
        (one, two), (cos, sin) = turning.chunk(2, dim=-1), turn
        turned = torch.cat([one * cos - two * sin, two * cos + one * sin], dim=-1).transpose(1, 2)
        queries, keys = turned[:, : self.heads], turned[:, self.heads :]
        values = values.transpose(1, 2)
        if cache:
            keys, values = cache[0].update(keys, values, cache[1])
        if q == 1:  # heads that share keys are rows of one product
            queries = queries.reshape(b, self.groups, -1, self.width)
        else:
            share = self.heads // self.groups
            keys, values = (part.repeat_interleave(share, dim=1) for part in (keys, values))
        heard = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, scale=self.scale
        )
        made: Tensor = self.o(
            heard.view(b, 1, -1) if q == 1 else heard.transpose(1, 2).reshape(b, q, -1)
        )
        return made

    def _norm(self, states: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(states, states.shape[-1:], weight, self.eps)


def _weight(norm: Any) -> nn.Parameter:
    """What a norm multiplies by: Gemma stores it less one."""
    return nn.Parameter(1 + norm.weight.detach().float(), requires_grad=False)


def _joined(*layers: nn.Linear) -> Int8Linear:
    return Int8Linear(Int8Weight.of(torch.cat([layer.weight for layer in layers])), None)
