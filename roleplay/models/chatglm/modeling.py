"""The body of ChatGLM-6B (GLM with two-dimensional rotary positions); ``lm.py`` has the head.

    states = model.transformer(input_ids=ids).last_hidden_state

Written from its specification; keys of the state dict are the original's. Positions are int64
[b, 2, s]; the attention mask may be left out, be the usual 0/1 [b, k], or bool [b, 1, q, k] with
**True = blocked**, as the tokenizer gives it (prefix columns never counted).

Letters: b batch, s tokens, q new tokens, k keys, P prefix, L layers, n heads, d head size, h = n d,
v vocabulary. Source: SPEC 2 and 3 (GLM: Du et al. 2022, arXiv:2103.10360).
"""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast

from roleplay.errors import FormError, PromptError
from roleplay.models.chatglm.cache import KeyValue, PlaceCache
from roleplay.models.chatglm.config import ChatGLMConfig
from roleplay.models.chatglm.positions import blocked_mask, rotary_tables, rotate, token_positions
from roleplay.models.chatglm.prefix import PrefixEncoder
from roleplay.models.chatglm.quantization import PACKED, make_embedding, make_linear

ALPHA = math.sqrt(2 * 28)
"""Weight of the residual branch: that of 28 layers in every size of the model (SPEC 2.1)."""

BLOCKED = -10000.0
"""Score of a blocked key; finite, so that a padding row that sees nothing gives numbers."""

MLP_TOKENS = 128
"""Tokens that the MLP takes at once without gradients: 8 MB of inner states in float32 at 6B."""

Rotary = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Self-attention of layer ``index``; what a prefix or a cache holds is rotated already."""

    def __init__(self, config: ChatGLMConfig, index: int) -> None:
        super().__init__()
        self.config, self.index = config, index
        bits, size = config.quantization_bit, config.hidden_size
        self.query_key_value = make_linear(size, 3 * size, bits=bits)
        self.dense = make_linear(size, size, bits=bits)

    def forward(
        self,
        states: Tensor,
        rotary: Rotary,
        mask: Tensor | None,
        prefix: KeyValue | None,
        cache: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """[b, q, h] -> [b, q, h], and the probabilities [b, n, q, k] of the eager path.

        Args:
            states: [b, q, h].
            rotary: cosines and sines [b, 1, q, d].
            mask: bool [b, 1, q, k] for the eager path, else what is added to the scores.
            prefix: keys and values [b, n, P, d].
            cache: of transformers; the new keys, and the prefix, are added to it.
        """
        # Each head owns 3 d rows of the weight, d for q, d for k, d for v: not three blocks of h.
        mixed = self.query_key_value(states).unflatten(-1, (self.config.num_attention_heads, -1))
        query, key, value = mixed.transpose(1, 2).chunk(3, dim=-1)
        query, key = rotate(query, *rotary), rotate(key, *rotary)
        if prefix is not None:
            key, value = torch.cat([prefix[0], key], dim=2), torch.cat([prefix[1], value], dim=2)
        eager = self.config._attn_implementation == "eager"
        probabilities = None
        if mask is None and prefix is None and isinstance(cache, PlaceCache) and not eager:
            # A step of one token: the layer attends without joining shared and own keys.
            cache.layers[self.index].append(key, value)
            context = cache.layers[self.index].attend(query)
        else:
            if cache is not None:
                key, value = cache.update(key, value, self.index)
            if eager:
                context, probabilities = self._eager(query, key, value, mask)
            else:
                context = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.dense(context.transpose(1, 2).flatten(2)), probabilities

    def _eager(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        # The coefficient keeps float16 scores small; it cancels in the float32 softmax.
        coefficient = self.index + 1
        scores = (query / (math.sqrt(query.shape[-1]) * coefficient)) @ key.transpose(2, 3)
        if mask is not None:
            scores = scores.masked_fill(mask, BLOCKED)
        probabilities = (scores.float() * coefficient).softmax(dim=-1).to(value.dtype)
        return probabilities @ value, probabilities


class MLP(nn.Module):
    """h -> inner -> h with the tanh form of gelu; not gated."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__()
        size, inner, bits = config.hidden_size, config.inner_hidden_size, config.quantization_bit
        self.dense_h_to_4h = make_linear(size, inner, bits=bits)
        self.dense_4h_to_h = make_linear(inner, size, bits=bits)

    def forward(self, states: Tensor) -> Tensor:
        """[b, q, h] -> [b, q, h]; without gradients ``MLP_TOKENS`` at a time."""
        if torch.is_grad_enabled() or states.shape[1] <= MLP_TOKENS:
            return self._whole(states)
        # Inner states are four times as wide as the others.
        parts = torch.split(states, MLP_TOKENS, dim=1)
        return torch.cat([self._whole(part) for part in parts], dim=1)

    def _whole(self, states: Tensor) -> Tensor:
        inner = functional.gelu(self.dense_h_to_4h(states), approximate="tanh")
        output: Tensor = self.dense_4h_to_h(inner)
        return output


class Block(GradientCheckpointingLayer):  # type: ignore[misc]
    """One layer; the residual branch carries the layer norm's output, not its input."""

    def __init__(self, config: ChatGLMConfig, index: int) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.layernorm_epsilon
        self.input_layernorm = nn.LayerNorm(size, eps=eps)
        self.attention = Attention(config, index)
        self.post_attention_layernorm = nn.LayerNorm(size, eps=eps)
        self.mlp = MLP(config)

    def forward(
        self,
        states: Tensor,
        rotary: Rotary,
        mask: Tensor | None,
        prefix: KeyValue | None,
        past_key_values: Any = None,
    ) -> tuple[Tensor, Tensor | None]:
        """As :meth:`Attention.forward`; gradient checkpointing knows the cache by its name."""
        normed = self.input_layernorm(states)
        mixed, probabilities = self.attention(normed, rotary, mask, prefix, past_key_values)
        normed = self.post_attention_layernorm(normed * ALPHA + mixed)
        return normed * ALPHA + self.mlp(normed), probabilities


class ChatGLMPreTrainedModel(PreTrainedModel):  # type: ignore[misc]
    """What the body and the whole model share."""

    config_class = ChatGLMConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules: ClassVar[list[str]] = ["Block"]
    _input_embed_layer = "word_embeddings"

    def _init_weights(self, module: nn.Module) -> None:
        """Random weights for a model that is not loaded; packed layers stay 0."""
        if not isinstance(module, PACKED):
            super()._init_weights(module)


class ChatGLMModel(ChatGLMPreTrainedModel):
    """Embedding, blocks and final layer norm, with the prefix where ``config.pre_seq_len`` is set.

    The prefix is its own: it is inserted where the cache is empty, and takes no positions.
    """

    prefix_language_model = True
    """It finds positions and masks by itself (see ``roleplay.models.causal``)."""

    def __init__(self, config: ChatGLMConfig) -> None:
        """Build it; with a prefix, everything else is frozen."""
        super().__init__(config)
        bits = config.quantization_bit if config.quantization_embeddings else 0
        self.word_embeddings = make_embedding(config.vocab_size, config.hidden_size, bits=bits)
        self.layers = nn.ModuleList(Block(config, index) for index in range(config.num_layers))
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.dropout = nn.Dropout(0.1)  # of the prefix; the model has no other (SPEC 3)
        if config.pre_seq_len:
            self.attach_prefix(config.pre_seq_len, projection=config.prefix_projection)
        self.post_init()

    def attach_prefix(self, length: int, *, projection: bool = False) -> None:
        """Put a new random float32 prefix before every layer; it alone is trained from now on."""
        self.config.pre_seq_len, self.config.prefix_projection = length, projection
        self.requires_grad_(False)
        self.prefix_encoder = PrefixEncoder(self.config).to(self.word_embeddings.weight.device)

    def new_cache(self) -> PlaceCache:
        """An empty cache, after which answer tokens need no ``position_ids``."""
        return PlaceCache(self.config.num_layers)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> BaseModelOutputWithPast:
        """The final states [b, q, h] of ids int64 [b, q].

        Args:
            attention_mask: None, 0/1 [b, k] or bool [b, 1, q, k] with True = blocked.
            position_ids: int64 [b, 2, q]; None builds them from the ids (SPEC 2.4), or after a
                filled :class:`PlaceCache` goes on from its last place.
            past_key_values: a cache, empty or filled: :meth:`new_cache`, or one of transformers.
            inputs_embeds: [b, q, h] instead of the ids; needs ``position_ids``.
            use_cache: make a cache if none is given; None: the config's in evaluation, else False.
            output_attentions: also return probabilities, which eager has; None: the config's.
            output_hidden_states: also return the embeddings, the output of each block but the last,
                and the final; None: the config's.

        Raises:
            FormError: rows without sop or a mask token, or positions or a mask of another form.
            PromptError: more tokens than the model holds.
        """
        states = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        if output_attentions is None:
            output_attentions = self.config.output_attentions
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        if use_cache is None:
            use_cache = self.config.use_cache and not self.training
        if past_key_values is None and use_cache:
            past_key_values = self.new_cache()
        cached = 0 if past_key_values is None else past_key_values.get_seq_length()
        prefix = None
        if cached == 0 and self.config.pre_seq_len:  # [2L, b, n, P, d]
            prefix = self.dropout(self.prefix_encoder.slots(len(states), states.dtype))
        past = max(cached - (self.config.pre_seq_len or 0), 0)  # the prefix takes no positions
        places = past_key_values if isinstance(past_key_values, PlaceCache) else None
        if places and position_ids is None:
            position_ids = places.next_places(states.shape[1])
        positions = self._positions(input_ids, attention_mask, position_ids)
        tokens, most = past + states.shape[1], self.config.max_sequence_length
        if tokens > most:
            raise PromptError("chatglm.too-long", tokens=tokens, most=most)
        if places:
            places.add_places(positions)
        mask = self._mask(positions, attention_mask, past, states.dtype)
        rotary = self._rotary(positions, states.dtype)
        seen, probabilities = [], []
        for index, block in enumerate(self.layers):
            if output_hidden_states:
                seen.append(states)
            own = None if prefix is None else (prefix[2 * index], prefix[2 * index + 1])
            states, found = block(states, rotary, mask, own, past_key_values=past_key_values)
            probabilities.append(found)
        states = self.final_layernorm(states)
        return BaseModelOutputWithPast(
            last_hidden_state=states,
            past_key_values=past_key_values,
            hidden_states=(*seen, states) if output_hidden_states else None,
            attentions=tuple(probabilities) if output_attentions else None,
        )

    def _positions(
        self, ids: Tensor | None, mask: Tensor | None, positions: Tensor | None
    ) -> Tensor:
        if positions is None:
            if ids is None:
                raise FormError("chatglm.no-positions")
            real = mask if mask is not None and mask.dim() == 2 else None
            real = None if real is None else real[:, -ids.shape[1] :].bool()
            return token_positions(ids, self.config, real=real)
        if positions.dim() != 3 or positions.shape[1] != 2:
            raise FormError("chatglm.positions", shape=str(list(positions.shape)))
        return positions

    def _mask(
        self, positions: Tensor, given: Tensor | None, past: int, dtype: torch.dtype
    ) -> Tensor | None:
        """What attention takes: [b, 1, q, P + past + q] with every prefix column visible."""
        if given is not None and given.dim() == 4:
            if given.dtype != torch.bool:
                raise FormError("chatglm.mask", dtype=given.dtype)
            blocked: Tensor | None = given
        else:
            real = None if given is None else given.bool()
            blocked = blocked_mask(positions[:, 1], past=past, real=real)
        if blocked is None:
            return None
        keys = past + positions.shape[2] + (self.config.pre_seq_len or 0)
        blocked = functional.pad(blocked, (keys - blocked.shape[3], 0), value=False)
        # Eager attention fills scores before the coefficient; sdpa can only add to them.
        return (
            blocked if self.config._attn_implementation == "eager" else blocked.to(dtype) * BLOCKED
        )

    def _rotary(self, positions: Tensor, dtype: torch.dtype) -> Rotary:
        wanted = self.config.rotary_dtype
        half = wanted == "float16" or (wanted == "auto" and dtype == torch.float16)
        tables = torch.float16 if half else torch.float32
        cos, sin = rotary_tables(positions, head_dim=self.config.head_dim, dtype=tables)
        return cos.to(dtype), sin.to(dtype)
