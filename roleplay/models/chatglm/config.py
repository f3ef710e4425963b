"""The configuration of a ChatGLM-6B checkpoint: the fields of its ``config.json``, and one of ours.

    config = ChatGLMConfig(quantization_bit=4, quantization_embeddings=True, pre_seq_len=128)

The defaults are the shipped model's (6B). transformers drops fields of generation in old files.
"""

from typing import Any, ClassVar

from transformers import PreTrainedConfig

from roleplay.errors import ModelError
from roleplay.messages import message

ROTARY_DTYPES = ("auto", "float16", "float32")
"""What ``rotary_dtype`` may be."""


class ChatGLMConfig(PreTrainedConfig):  # type: ignore[misc]
    """Sizes, special ids and storage form of a ChatGLM-6B.

    ``rotary_dtype`` is the precision in which the angles, cosines and sines of the rotary positions
    are computed (SPEC 2.3). The published weights were trained with float16 tables, which are wrong
    by up to 0.43 at position 2047, and the original takes them where the model runs in float16; in
    float32 on a CPU it takes float32 tables. ``"auto"`` does as the original: float16 tables for
    float16 activations, else float32 (also for bfloat16, which cannot count past 256).
    ``"float16"`` gives the tables of training on every device, ``"float32"`` the exact ones.

    Raises:
        ModelError: fields that contradict each other, all of them named at once.
    """

    model_type: ClassVar[str] = "chatglm"
    attribute_map: ClassVar[dict[str, str]] = {
        "num_hidden_layers": "num_layers",
        "intermediate_size": "inner_hidden_size",
        "max_position_embeddings": "max_sequence_length",
        "layer_norm_eps": "layernorm_epsilon",
    }
    gpu_dtype: ClassVar[str] = "float16"
    """What the weights were trained in, and what a GPU runs them in unless told otherwise."""
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]

    vocab_size: int = 130528
    hidden_size: int = 4096
    num_layers: int = 28
    num_attention_heads: int = 32
    inner_hidden_size: int = 16384
    layernorm_epsilon: float = 1e-5
    max_sequence_length: int = 2048
    use_cache: bool = True
    bos_token_id: int = 130004
    eos_token_id: int = 130005
    pad_token_id: int = 3
    mask_token_id: int = 130000
    gmask_token_id: int = 130001
    position_encoding_2d: bool = True
    quantization_bit: int = 0
    quantization_embeddings: bool = False
    pre_seq_len: int | None = None
    prefix_projection: bool = False
    tie_word_embeddings: bool = True
    rotary_dtype: str = "auto"

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self.check()

    @property
    def head_dim(self) -> int:
        """Size of one attention head."""
        return self.hidden_size // self.num_attention_heads

    def check(self) -> None:
        """Refuse what cannot be built; also to be called after fields were changed."""
        bits, length = self.quantization_bit, self.pre_seq_len
        rules = {
            # A head is cut in two halves, and each half in pairs that are rotated (SPEC 2.3).
            "chatglm.config-size": self.hidden_size % (4 * self.num_attention_heads) == 0,
            "chatglm.config-bits": bits in (0, 4, 8),
            "chatglm.config-embeddings": bits or not self.quantization_embeddings,
            "chatglm.config-rotary": self.rotary_dtype in ROTARY_DTYPES,
            "chatglm.config-positions": self.position_encoding_2d,
            "chatglm.config-prefix": length is None or length > 0,
        }
        told = {"bits": bits, "known": " ".join(ROTARY_DTYPES), "length": length}
        if wrong := [message(key, **told) for key, holds in rules.items() if not holds]:
            raise ModelError("chatglm.config", problems=wrong)
