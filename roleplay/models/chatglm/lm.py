"""The whole ChatGLM-6B: head, loss, generation and loading around the body of ``modeling.py``.

    model = ChatGLMForConditionalGeneration.from_pretrained("THUDM/chatglm-6b-int4-qe")
    inputs = tokenizer(["你好"], return_tensors="pt", padding=True)
    ids = model.generate(**inputs, max_new_tokens=64)
    model.load_prefix(Path("checkpoints/mine"))       # a P-Tuning v2 prefix, ours or the original's

``generate``, ``Trainer`` and PEFT treat it as any causal model.

Letters: b batch, s tokens, h hidden size, v vocabulary.
"""

import copy
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast

from roleplay.errors import FormError, ModelError
from roleplay.models.chatglm import kernels
from roleplay.models.chatglm.config import ChatGLMConfig
from roleplay.models.chatglm.loading import load_weights
from roleplay.models.chatglm.loss import label_loss
from roleplay.models.chatglm.modeling import ChatGLMModel, ChatGLMPreTrainedModel
from roleplay.models.chatglm.positions import blocked_mask, next_positions, token_positions
from roleplay.models.chatglm.prefix import check_prefix, prefix_sizes, read_prefix
from roleplay.models.chatglm.quantization import PackedEmbedding, PackedHead, packed_layers
from roleplay.models.chatglm.shards import find_shards, first_line

logger = logging.getLogger(__name__)

LOGITS_LIMIT = 2**24
"""With labels, logits are returned in evaluation up to this many numbers (64 MB in float32)."""

_HUB = {
    *("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder"),
    "token",
}
"""Options of transformers' ``cached_file``."""

_UNUSED = {
    *("adapter_kwargs", "trust_remote_code", "torch_dtype", "use_safetensors", "low_cpu_mem_usage"),
    "_from_auto",
}
"""What the Auto classes and old scripts hand over and nothing here needs."""


class ChatGLMForConditionalGeneration(ChatGLMPreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The model with its head, which shares the embedding's weights."""

    accepts_loss_kwargs = True
    _tied_weights_keys: ClassVar[dict[str, str]] = {
        "lm_head.weight": "transformer.word_embeddings.weight"
    }

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.transformer = ChatGLMModel(config)
        size, rows, packed = config.hidden_size, config.vocab_size, config.quantization_embeddings
        if packed:
            bits = config.quantization_bit
            self.lm_head: nn.Linear = PackedHead(size, rows, bias=False, bits=bits)
        else:
            self.lm_head = nn.Linear(size, rows, bias=False)
        self.lm_head.requires_grad_(not (packed or config.pre_seq_len))
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
    ) -> Self:
        """Load a model in evaluation mode; full weights are quantized where the config says so.

        Args:
            pretrained_model_name_or_path: a folder with ``config.json`` and weights, or a hub id.
            config: instead of the stored one.
            dtype: of all but packed weights and the prefix; None or "auto" takes float32, or
                float16 where there is a GPU.
            device_map: one device, to which the model is moved.
            attn_implementation: "sdpa" (the default) or "eager".
            kernel: of the int4 products: "auto", or a name of ``kernels.known``.
            kernel_cache: where weights in the kernel's form are kept; None takes the usual place,
                for large models only.
            kwargs: fields of the config that replace stored ones (``quantization_bit``,
                ``pre_seq_len``, ...), and options of the hub (``revision``, ``token``,
                ``local_files_only``, ...).

        Raises:
            ModelError: not a ChatGLM, not reachable, damaged, weights that do not fit (the message
                lists every key), or a kernel that does not work here.
        """
        name = str(pretrained_model_name_or_path)
        hub = {key: kwargs[key] for key in _HUB & kwargs.keys() if kwargs[key] is not None}
        settings = {key: value for key, value in kwargs.items() if key not in _HUB | _UNUSED}
        config = _changed(_read_config(name, hub) if config is None else config, settings)
        config.name_or_path = name
        config._attn_implementation = attn_implementation or config._attn_implementation
        place, bits = torch.device(device_map or "cpu"), config.quantization_bit
        # A kernel that is unknown or broken is told for a model without packed layers too.
        chosen = kernels.choose(place, bits=bits or 4, wanted=kernel)
        with torch.device("meta"):
            model = cls(config)
        shards, wanted = find_shards(name, hub), _wanted_dtype(dtype)
        load_weights(model, shards, dtype=wanted, kernel=chosen, name=name, cache=kernel_cache)
        if bits:
            logger.info("%s: products of %d bits by %s", name, bits, chosen.name)
        with suppress(OSError):  # without the file the special ids of the config stand
            model.generation_config = GenerationConfig.from_pretrained(name, **hub)
        model = model.to(place).eval()
        for layer in packed_layers(model):
            layer.use(chosen)  # moved to another device, a layer took what is best there
        model.tie_weights()
        return model

    @property
    def kernel(self) -> str:
        """The name of the kernel that multiplies packed layers; "none" where there are none."""
        return next((layer.kernel.name for layer in packed_layers(self)), "none")

    def tie_weights(self, *args: Any, **kwargs: Any) -> None:
        """Let head and embedding share their weights; in a kernel's form they are the head's."""
        embedding = self.transformer.word_embeddings
        if not (isinstance(embedding, PackedEmbedding) and embedding.share(self.lm_head)):
            super().tie_weights(*args, **kwargs)

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """As transformers, but never over the files that this model is mapped from.

        Raises:
            ModelError: the folder is the one that the model was loaded from.
        """
        source = self.config.name_or_path  # empty where the model was built; Path("") would be here
        if source and Path(save_directory).resolve() == Path(source).resolve():
            raise ModelError("chatglm.mapped", folder=save_directory)
        super().save_pretrained(save_directory, **kwargs)

    def load_prefix(self, path: Path) -> None:
        """Take over a trained prefix, ours or the original's, and let it be the only thing trained.

        Raises:
            AdapterError: no prefix there, or one of another model; every differing size is named.
        """
        state = read_prefix(path)
        length, projection = prefix_sizes(state)
        check_prefix(state, self.config)
        self.lm_head.requires_grad_(False)
        self.transformer.attach_prefix(length, projection=projection)
        self.transformer.prefix_encoder.load_state_dict(state)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int = 0,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Logits [b, s, v], with labels the loss; :meth:`ChatGLMModel.forward` has the rest.

        Args:
            labels: int64 [b, s]; -100 is no target. Then no cache is made, and logits are returned
                only in evaluation, up to ``LOGITS_LIMIT`` numbers, or for ``logits_to_keep``.
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
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        hidden, loss = output.last_hidden_state, None
        if labels is not None:
            loss = label_loss(hidden, labels, self.lm_head, count=num_items_in_batch)
        result = CausalLMOutputWithPast(
            loss=loss,
            logits=self._logits(hidden, logits_to_keep, with_labels=labels is not None),
            past_key_values=output.past_key_values,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )
        return result.to_tuple() if return_dict is False else result

    def _logits(self, hidden: Tensor, keep: int, *, with_labels: bool) -> Tensor | None:
        size = hidden.shape[0] * hidden.shape[1] * self.config.vocab_size
        if with_labels and not keep and (self.training or size > LOGITS_LIMIT):
            return None
        logits: Tensor = self.lm_head(hidden[:, -keep:])
        return logits

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As transformers; the tokenizer's mask [b, 1, s, s] is taken as well as 0/1 [b, s]."""
        mask = kwargs.get("attention_mask")
        if mask is not None and mask.dim() == 4:
            kwargs["attention_mask"] = _padding(mask, kwargs.get("position_ids"))
        return super().generate(*args, **kwargs)

    def _prepare_attention_mask_for_generation(
        self, inputs_tensor: Tensor, generation_config: Any, model_kwargs: dict[str, Any]
    ) -> Tensor:
        """int64 [b, s]: padding leads a row; the same id later is a token that somebody typed."""
        pad: int = self.config.pad_token_id
        return ((inputs_tensor != pad).cumsum(dim=1) > 0).long()

    def _prepare_position_ids_for_generation(
        self, inputs_tensor: Tensor, model_kwargs: dict[str, Any]
    ) -> Tensor:
        mask = model_kwargs.get("attention_mask")
        real = None if mask is None else mask.bool()
        return token_positions(inputs_tensor, self.config, real=real)

    def _expand_inputs_for_generation(self, expand_size: int = 1, **kwargs: Any) -> Any:
        """As transformers, which takes three-dimensional positions for [3, b, s]."""
        positions = kwargs.pop("position_ids")
        ids, expanded = super()._expand_inputs_for_generation(expand_size, **kwargs)
        expanded["position_ids"] = positions.repeat_interleave(expand_size, dim=0)
        return ids, expanded

    def _update_model_kwargs_for_generation(
        self, outputs: Any, model_kwargs: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """The next token stands at (p, last + 1); transformers would count both rows on."""
        count = kwargs.get("num_new_tokens", 1)
        positions = next_positions(model_kwargs.pop("position_ids"), count)
        updated = super()._update_model_kwargs_for_generation(outputs, model_kwargs, **kwargs)
        return {**updated, "position_ids": positions}


def _read_config(name: str, hub: Mapping[str, Any]) -> ChatGLMConfig:
    try:
        values, _ = ChatGLMConfig.get_config_dict(name, **hub)
    except (OSError, ValueError) as error:
        raise ModelError("chatglm.no-chatglm", name=name, detail=first_line(error)) from error
    if values.get("model_type") != ChatGLMConfig.model_type:
        raise ModelError("chatglm.other-model", name=name, kind=values.get("model_type"))
    config: ChatGLMConfig = ChatGLMConfig.from_dict(values)
    return config


def _changed(config: ChatGLMConfig, settings: Mapping[str, Any]) -> ChatGLMConfig:
    """A copy with some fields replaced, checked again."""
    known = {field.name for field in fields(ChatGLMConfig)}
    if unknown := sorted(settings.keys() - known):
        raise ModelError("chatglm.options", unknown=", ".join(unknown))
    changed: ChatGLMConfig = copy.deepcopy(config)
    for key, value in settings.items():
        setattr(changed, key, value)
    changed.check()
    return changed


def _wanted_dtype(dtype: torch.dtype | str | None) -> torch.dtype:
    if dtype in (None, "auto"):
        # The published weights are float16, which few CPUs multiply.
        return torch.float16 if torch.cuda.is_available() else torch.float32
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype):
        raise ModelError("chatglm.dtype", dtype=dtype)
    return found


def _padding(mask: Tensor, positions: Tensor | None) -> Tensor:
    """The 0/1 mask int64 [b, s] of the tokenizer's [b, 1, s, s]: what the last token does see."""
    real = ~mask[:, 0, -1]
    own = mask if positions is None else blocked_mask(positions[:, 1], real=real)
    if own is None or not torch.equal(mask, own):
        raise FormError("chatglm.own-mask")
    return real.long()
