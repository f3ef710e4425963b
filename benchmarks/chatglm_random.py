"""A ChatGLM-6B of random numbers, made where it is wanted: nothing is read, written or sent.

    model = random_chatglm(config, device=torch.device("cuda"), dtype=torch.float16)

Its form is that of ``chatglm-6b-int4-qe`` (SPEC 4): random bytes for packed weights, scales and
norms of a usual size. For speed and memory, which do not depend on what the numbers are; its text
means nothing.
"""

from typing import Any

import torch

from roleplay.models.chatglm import ChatGLMConfig, ChatGLMForConditionalGeneration
from roleplay.models.chatglm.prefix import PREFIX_NAME

SIZES_6B: dict[str, Any] = {}
"""The config's defaults."""

SIZES_TOY = {
    "hidden_size": 64,
    "num_attention_heads": 4,
    "inner_hidden_size": 256,
    "vocab_size": 520,
    "bos_token_id": 504,
    "eos_token_id": 505,
    "mask_token_id": 500,
    "gmask_token_id": 501,
}
"""For trying the programs themselves."""


def int4_config(sizes: dict[str, Any], *, layers: int, prefix: int | None = None) -> ChatGLMConfig:
    """The config of an int4 model with int4 embeddings."""
    return ChatGLMConfig(
        **sizes,
        num_layers=layers,
        quantization_bit=4,
        quantization_embeddings=True,
        pre_seq_len=prefix,
    )


def random_chatglm(
    config: ChatGLMConfig, *, device: torch.device, dtype: torch.dtype
) -> ChatGLMForConditionalGeneration:
    """The model in evaluation mode, with the plain kernel; the prefix, if any, is float32."""
    with torch.device("meta"):
        model = ChatGLMForConditionalGeneration(config)
    generator = torch.Generator(device).manual_seed(1)
    tied = model.all_tied_weights_keys
    state = {
        name: _random(
            name, part, generator, torch.float32 if name.startswith(PREFIX_NAME) else dtype
        )
        for name, part in model.state_dict().items()
        if name not in tied
    }
    state |= {name: state[source] for name, source in tied.items()}
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    model.eval()
    return model


def _random(
    name: str, like: torch.Tensor, generator: torch.Generator, dtype: torch.dtype
) -> torch.Tensor:
    """Numbers of the size that a trained model has in their place."""
    device = generator.device
    if not like.is_floating_point():
        return torch.randint(
            -128, 128, like.shape, dtype=torch.int8, device=device, generator=generator
        )
    if name.endswith("layernorm.weight"):
        return torch.ones(like.shape, dtype=dtype, device=device)
    made = torch.empty(like.shape, dtype=dtype, device=device)
    if name.endswith("weight_scale"):
        return made.uniform_(0.002, 0.006, generator=generator)
    return made.normal_(0, 1 if name.startswith(PREFIX_NAME) else 0.01, generator=generator)


def random_prompt(
    config: ChatGLMConfig, length: int, *, device: torch.device, seed: int = 0
) -> torch.Tensor:
    """int64 [1, length]: random tokens, [gMASK], sop."""
    ids = torch.randint(
        6, config.mask_token_id, (1, length), generator=torch.Generator().manual_seed(seed)
    )
    ids[0, -2:] = torch.tensor([config.gmask_token_id, config.bos_token_id])
    return ids.to(device)


def training_batch(
    config: ChatGLMConfig, length: int, *, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels int64 [1, length]: 16 tokens of prompt, then answer alone, the costliest."""
    ids = torch.cat(
        [
            random_prompt(config, 16, device=device),
            random_prompt(config, length - 14, device=device),
        ],
        1,
    )
    ids = ids[:, :length].contiguous()
    labels = ids.clone()
    labels[:, :15] = -100
    return ids, labels
