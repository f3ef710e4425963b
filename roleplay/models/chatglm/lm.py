"""The whole ChatGLM-6B: head, loss, generation and loading around the body of ``modeling.py``.

    model = ChatGLMForConditionalGeneration.from_pretrained("THUDM/chatglm-6b-int4-qe")
    ids = model.generate(**tokenizer(["你好"], return_tensors="pt", padding=True), max_new_tokens=64)
    model.load_prefix(Path("checkpoints/mine"))       # a P-Tuning v2 prefix, ours or the original's

``generate``, ``Trainer`` and PEFT treat it as any causal model. Letters: b batch, s tokens, h hidden size, v vocabulary.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import GenerationConfig, GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast

from roleplay.errors import ModelError
from roleplay.models.chatglm import kernels
from roleplay.models.chatglm.config import ChatGLMConfig
from roleplay.models.chatglm.loading import load_weights
from roleplay.models.chatglm.loss import label_loss
from roleplay.models.chatglm.modeling import ChatGLMModel, ChatGLMPreTrainedModel
from roleplay.models.chatglm.positions import blocked_mask, next_positions, token_positions
from roleplay.models.chatglm.prefix import check_prefix, prefix_sizes, read_prefix
from roleplay.models.chatglm.quantization import PackedEmbedding, make_head, packed_layers
from roleplay.models.chatglm.shards import find_shards

logger = logging.getLogger(__name__)

LOGITS_LIMIT = 2**24
"""With labels, logits are returned in evaluation up to this many numbers (64 MB in float32)."""

_HUB = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token")
_UNUSED = ("adapter_kwargs", "trust_remote_code", "torch_dtype", "use_safetensors", "low_cpu_mem_usage", "_from_auto")


class ChatGLMForConditionalGeneration(ChatGLMPreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The model with its head, which shares the embedding's weights."""

    accepts_loss_kwargs = True
    _tied_weights_keys: ClassVar[dict[str, str]] = {"lm_head.weight": "transformer.word_embeddings.weight"}

    def __init__(self, config: ChatGLMConfig) -> None:
        """Build it with random weights; :meth:`from_pretrained` loads."""
        super().__init__(config)
        bits = config.quantization_bit if config.quantization_embeddings else 0
        self.transformer = ChatGLMModel(config)
        self.lm_head = make_head(config.hidden_size, config.vocab_size, bits=bits)
        self.lm_head.requires_grad_(not (bits or config.pre_seq_len))
        self.post_init()

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *args: Any,
        config: ChatGLMConfig | None = None,
        dtype: torch.dtype | str | None = None,
        device_map: str | torch.device | None = None,
        attn_implementation: str | None = None,
        kernel: str = kernels.AUTO,
        kernel_cache: Path | None = None,
        **kwargs: Any,
    ) -> ChatGLMForConditionalGeneration:
        """Load a folder or a hub id, in evaluation mode; weights in full are quantized where the config asks for it.

        Args:
            pretrained_model_name_or_path: a folder with ``config.json`` and weights, or a hub id.
            args: nothing; transformers' signature.
            config: instead of the stored one.
            dtype: of all but packed weights and the prefix; None or "auto" takes float32, or float16 where there is a GPU.
            device_map: one device, to which the model is moved.
            attn_implementation: "sdpa" (the default) or "eager".
            kernel: of the int4 products: "auto", or a name of ``kernels.known``.
            kernel_cache: where weights in the kernel's form are kept; None takes the usual place, for large models only.
            kwargs: fields of the config that replace stored ones (``quantization_bit``, ``pre_seq_len``, ...), and options
                of the hub (``revision``, ``token``, ``local_files_only``, ...).

        Raises:
            ModelError: not a ChatGLM, not reachable, damaged, or weights that do not fit (the message lists every key), or
                a kernel that does not work here.
        """
        name = str(pretrained_model_name_or_path)
        hub = {key: value for key in _HUB if (value := kwargs.pop(key, None)) is not None}
        settings = {key: value for key, value in kwargs.items() if key not in _UNUSED}
        config = _read_config(name, hub, settings) if config is None else _changed(config, settings)
        config.name_or_path = name
        config._attn_implementation = attn_implementation or config._attn_implementation
        place = torch.device(device_map or "cpu")
        chosen = kernels.choose(place, bits=config.quantization_bit or 4, wanted=kernel)
        with torch.device("meta"):
            model = cls(config)
        shards = find_shards(name, hub)
        load_weights(model, shards, dtype=_wanted_dtype(dtype), kernel=chosen, name=name, cache=kernel_cache)
        if config.quantization_bit:
            logger.info("%s: products of %d bits by %s", name, config.quantization_bit, chosen.name)
        model._read_generation_config(name, hub)
        placed: ChatGLMForConditionalGeneration = model.to(place).eval()
        for layer in packed_layers(placed):
            layer.use(chosen)  # moved to another device, a layer took what is best there
        placed.tie_weights()
        return placed

    @property
    def kernel(self) -> str:
        """The name of the kernel that multiplies packed layers; "none" where there are none."""
        return next((layer.kernel.name for layer in packed_layers(self)), "none")

    def tie_weights(self, *args: Any, **kwargs: Any) -> None:
        """Let head and embedding share their weights; in a kernel's form they are the head's."""
        embedding = self.transformer.word_embeddings
        if not (isinstance(embedding, PackedEmbedding) and embedding.share(self.lm_head)):
            super().tie_weights(*args, **kwargs)

    def _read_generation_config(self, name: str, hub: Mapping[str, Any]) -> None:
        try:
            self.generation_config = GenerationConfig.from_pretrained(name, **hub)
        except OSError:
            return  # no generation_config.json: the special ids of the config stand

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """As transformers, but never over the files that this model is mapped from.

        Raises:
            ModelError: the folder is the one that the model was loaded from.
        """
        if Path(save_directory).resolve() == Path(self.config.name_or_path or "/dev/null").resolve():
            raise ModelError(f"the model's weights are mapped from {save_directory}: save it to another folder")
        super().save_pretrained(save_directory, **kwargs)

    def load_prefix(self, path: Path) -> None:
        """Take over a trained prefix, of this program or of the original, and let it be the only thing trained.

        Raises:
            AdapterError: no prefix there, or one of another model; every differing size is named.
        """
        state = read_prefix(path)
        length, projection = prefix_sizes(state)
        check_prefix(state, self.config)
        self.lm_head.requires_grad_(False)
        self.transformer.attach_prefix(length, projection=projection)
        self.transformer.prefix_encoder.load_state_dict(state)

    def get_decoder(self) -> ChatGLMModel:
        """The body."""
        return self.transformer

    def get_input_embeddings(self) -> nn.Module:
        """The word embedding."""
        return self.transformer.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word embedding."""
        self.transformer.word_embeddings = value

    def get_output_embeddings(self) -> nn.Linear:
        """The head."""
        return self.lm_head

    def set_output_embeddings(self, value: nn.Linear) -> None:
        """Replace the head."""
        self.lm_head = value

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int = 0,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Logits [b, s, v], and the loss where labels are given; see :meth:`ChatGLMModel.forward` for the rest.

        Args:
            labels: int64 [b, s]; -100 is not learnt. Then no cache is made, and logits are returned only in evaluation,
                up to ``LOGITS_LIMIT`` numbers, or where ``logits_to_keep`` asks for them.
            logits_to_keep: only the last so many positions; 0 keeps all.
            num_items_in_batch: what the summed loss is divided by; None takes the number of labels.
        """
        output = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=False if use_cache is None and labels is not None else use_cache,
            output_attentions=self.config.output_attentions if output_attentions is None else output_attentions,
            output_hidden_states=self.config.output_hidden_states
            if output_hidden_states is None
            else output_hidden_states,
        )
        hidden = output.last_hidden_state
        result = CausalLMOutputWithPast(
            loss=None if labels is None else label_loss(hidden, labels, self.lm_head, count=num_items_in_batch),
            logits=self._logits(hidden, logits_to_keep, learning=labels is not None),
            past_key_values=output.past_key_values,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )
        return result.to_tuple() if return_dict is False else result

    def _logits(self, hidden: torch.Tensor, keep: int, *, learning: bool) -> torch.Tensor | None:
        size = hidden.shape[0] * hidden.shape[1] * self.config.vocab_size
        if learning and not keep and (self.training or size > LOGITS_LIMIT):
            return None
        logits: torch.Tensor = self.lm_head(hidden[:, -keep:])
        return logits

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As transformers; the tokenizer's mask bool [b, 1, s, s] is taken as well as 0/1 [b, s]."""
        mask = kwargs.get("attention_mask")
        if mask is not None and mask.dim() == 4:
            kwargs["attention_mask"] = _padding(mask, kwargs.get("position_ids"))
        return super().generate(*args, **kwargs)

    def _prepare_attention_mask_for_generation(
        self, inputs_tensor: torch.Tensor, generation_config: Any, model_kwargs: dict[str, Any]
    ) -> torch.Tensor:
        """int64 [b, s]: padding is what leads a row; the same id later on is a token that somebody typed."""
        pad: int = self.config.pad_token_id
        return ((inputs_tensor != pad).cumsum(dim=1) > 0).long()

    def _prepare_position_ids_for_generation(
        self, inputs_tensor: torch.Tensor, model_kwargs: dict[str, Any]
    ) -> torch.Tensor:
        mask = model_kwargs.get("attention_mask")
        return token_positions(inputs_tensor, self.config, real=None if mask is None else mask.bool())

    @staticmethod
    def _expand_inputs_for_generation(
        expand_size: int = 1, is_encoder_decoder: bool = False, input_ids: torch.Tensor | None = None, **kwargs: Any
    ) -> tuple[torch.Tensor | None, dict[str, Any]]:
        """Repeat every row for its candidates or beams; transformers takes three-dimensional positions for [3, b, s]."""
        expanded = {
            name: value.repeat_interleave(expand_size, dim=0) if isinstance(value, torch.Tensor) else value
            for name, value in kwargs.items()
        }
        return None if input_ids is None else input_ids.repeat_interleave(expand_size, dim=0), expanded

    def _update_model_kwargs_for_generation(
        self, outputs: Any, model_kwargs: dict[str, Any], is_encoder_decoder: bool = False, num_new_tokens: int = 1
    ) -> dict[str, Any]:
        """The next token stands at (p, last + 1); transformers would count both rows on."""
        positions = next_positions(model_kwargs.pop("position_ids"), num_new_tokens)
        updated: dict[str, Any] = super()._update_model_kwargs_for_generation(
            outputs, model_kwargs, is_encoder_decoder=is_encoder_decoder, num_new_tokens=num_new_tokens
        )
        return updated | {"position_ids": positions}


def _read_config(name: str, hub: Mapping[str, Any], settings: Mapping[str, Any]) -> ChatGLMConfig:
    try:
        values, _ = ChatGLMConfig.get_config_dict(name, **hub)
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0][:160]
        raise ModelError(f"no ChatGLM at {name!r}: give a folder or a hub id that can be reached ({reason})") from error
    if values.get("model_type") != ChatGLMConfig.model_type:
        raise ModelError(
            f"{name} is a {values.get('model_type')!r}, not a 'chatglm': load it with AutoModelForCausalLM"
        )
    return _changed(ChatGLMConfig.from_dict(values), settings)


def _changed(config: ChatGLMConfig, settings: Mapping[str, Any]) -> ChatGLMConfig:
    """A copy with some fields replaced, checked again."""
    known = {field.name for field in fields(ChatGLMConfig)}
    if unknown := sorted(settings.keys() - known):
        raise ModelError(
            f"unknown options {', '.join(unknown)}: ChatGLM takes dtype, device_map and fields of its config"
        )
    changed: ChatGLMConfig = copy.deepcopy(config)
    for key, value in settings.items():
        setattr(changed, key, value)
    changed.check()
    return changed


def _wanted_dtype(dtype: torch.dtype | str | None) -> torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype in (None, "auto"):
        return torch.float16 if torch.cuda.is_available() else torch.float32
    found = getattr(torch, str(dtype), None)
    if not isinstance(found, torch.dtype):
        raise ModelError(f"dtype must be float32, float16 or bfloat16, not {dtype!r}")
    return found


def _padding(mask: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
    """The 0/1 mask int64 [b, s] of the tokenizer's mask [b, 1, s, s]: what the last token does not see is padding."""
    real = ~mask[:, 0, -1]
    own = mask if positions is None else blocked_mask(positions[:, 1], real=real)
    if own is None or not torch.equal(mask, own):
        raise ValueError("generate takes the tokenizer's own mask (padding on the left); this one blocks other keys")
    return real.long()
