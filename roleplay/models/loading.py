"""How any causal LM is found and loaded: the bundled default, a folder or a hub id; ChatGLM alike.

    model, tokenizer = load_causal("gemma3-270m"), load_tokenizer("gemma3-270m")

ChatGLM is registered with the Auto classes here. Code that lies beside a model is never run.
"""

import os
from pathlib import Path
from typing import Any

import torch

import roleplay.models.chatglm  # noqa: F401  registers it before an Auto class is used
from roleplay.errors import ModelError
from roleplay.models import bundled, memory
from roleplay.models.chatglm.shards import first_line

# Left out, transformers asks on the terminal whether to run the code of a folder.
_NO_CODE = {"trust_remote_code": False}


def resolve(name: str, *, on_progress: bundled.Progress = lambda told: None) -> str:
    """A folder or hub id that transformers can load; the bundled default is converted."""
    return str(bundled.bundled_folder(on_progress=on_progress)) if name == bundled.NAME else name


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_tokenizer(name: str) -> Any:
    """The tokenizer of a model.

    Raises:
        ModelError: no such model; the message says what is known.
    """
    from transformers import AutoTokenizer

    try:
        path, hub = resolve(name), {"local_files_only": _offline()}
        return AutoTokenizer.from_pretrained(path, **hub, **_NO_CODE)
    except (OSError, ValueError) as error:
        raise _unknown(name, error) from error


def load_causal(name: str, *, dtype: torch.dtype | None = None, quantization_bit: int = 0) -> Any:
    """The model itself on :func:`device`, in evaluation mode, its weights frozen.

    Args:
        dtype: of the weights; None takes float32 on a CPU, and on a GPU what the model was made in
            (``gpu_dtype`` of its config) or :func:`training_dtype`.
        quantization_bit: 4 or 8 quantizes a ChatGLM that is stored in full; 0 leaves it so.

    Raises:
        ModelError: as :func:`load_tokenizer`; not enough memory, told with the numbers before
            anything is loaded; or a model that cannot be quantized.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # what is under way is told by events
    path, options = _checked(name, dtype, quantization_bit)
    try:
        model = AutoModelForCausalLM.from_pretrained(path, **options)
    except (OSError, ValueError, SafetensorError) as error:
        raise _unknown(name, error) from error
    return model.to(device()).eval().requires_grad_(False)


def memory_of(name: str, *, quantization_bit: int = 0) -> tuple[int, int]:
    """Bytes that a model needs, and those that there are for it.

    Raises:
        ModelError: no such model, or one that cannot be quantized.
    """
    _, _, need, free = _looked_at(name, None, quantization_bit)
    return need, free


def check_fits(name: str, *, quantization_bit: int = 0, freed: int = 0) -> None:
    """Refuse a model before another one makes way for it; ``freed`` bytes will be free then.

    Raises:
        ModelError: as :func:`load_causal`.
    """
    _checked(name, None, quantization_bit, freed)


def _checked(
    name: str, dtype: torch.dtype | None, bits: int, freed: int = 0
) -> tuple[str, dict[str, Any]]:
    """Where a model lies and how it is loaded, after a look at its config and the memory."""
    path, options, need, free = _looked_at(name, dtype, bits)
    memory.check_memory(name, need, free + freed)
    return path, options


def _looked_at(
    name: str, dtype: torch.dtype | None, bits: int
) -> tuple[str, dict[str, Any], int, int]:
    """Where a model lies, how it is loaded, the bytes it needs and those that there are."""
    from transformers import AutoConfig

    path, hub = resolve(name), {"local_files_only": _offline()}
    try:
        config = AutoConfig.from_pretrained(path, **hub, **_NO_CODE)
    except (OSError, ValueError) as error:
        raise _unknown(name, error) from error
    wanted = dtype or _usual_dtype(config)
    own, files = _own_options(name, config, bits), memory.weight_files(path, hub)
    bits = own.get("quantization_bit", 0)
    need = memory.needed_bytes(files, config, dtype=wanted, bits=bits)
    options = {"dtype": wanted, **hub, **own, **_NO_CODE}
    return path, options, need, memory.available_bytes(device())


def empty_cache() -> None:
    """Give a GPU's memory back that no tensor uses any more."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _usual_dtype(config: Any) -> torch.dtype:
    # float32 on a CPU: few of them multiply shorter floats in hardware, the rest convert each one.
    if device().type == "cpu":
        return torch.float32
    own = getattr(torch, getattr(config, "gpu_dtype", ""), None)
    return own if isinstance(own, torch.dtype) else training_dtype()


def _own_options(name: str, config: Any, bits: int) -> dict[str, Any]:
    """What ChatGLM's own loader is told: how to quantize, and where, which decides the kernel."""
    stored = getattr(config, "quantization_bit", None)
    if stored is None:
        if bits:
            raise ModelError("models.only-chatglm", name=name, kind=config.model_type)
        return {}
    if stored and bits not in (0, stored):
        raise ModelError("models.stored-bits", name=name, stored=stored, bits=bits)
    return {"device_map": str(device())} | ({"quantization_bit": bits} if bits else {})


def training_dtype() -> torch.dtype:
    """bfloat16 where the hardware multiplies it (three times as fast on a CPU), else float32.

    Only the frozen weights and the activations take it; an adapter's own weights stay float32.
    """
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported()
    else:
        # torch before 2.10 does not tell.
        capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        fast = bool(capabilities.get("avx512_bf16", False))
    return torch.bfloat16 if fast else torch.float32


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")


def _unknown(name: str, error: Exception) -> ModelError:
    if "trust_remote_code" in str(error):
        return ModelError("models.own-code", name=name)
    key = "models.no-causal" if Path(name).is_dir() else "models.unknown"
    return ModelError(key, name=name, known=bundled.NAME, detail=first_line(error))
