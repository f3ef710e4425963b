"""Tiny real models for the tests of all that runs one; made once, loaded fresh for each test.

Imports of torch stand inside the fixtures, so that the tests of plain text start at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = (
    "1"  # before the first import of huggingface_hub: no test reaches the hub
)


@pytest.fixture(scope="session")
def gemma_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gemma 3 text model: hidden size 32, layers sliding, sliding, full, sliding, window 8."""
    import tiny
    import torch

    torch.set_num_threads(1)
    types = ("sliding_attention", "sliding_attention", "full_attention", "sliding_attention")
    return tiny.save(tiny.gemma(*types), tmp_path_factory.mktemp("models") / "tiny-gemma")


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of the same sizes: every layer sees everything."""
    import tiny

    return tiny.save(tiny.llama(), tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture
def gemma(gemma_folder: Path) -> Any:
    from roleplay.models.loading import load_causal

    return load_causal(str(gemma_folder))


@pytest.fixture
def llama(llama_folder: Path) -> Any:
    from roleplay.models.loading import load_causal

    return load_causal(str(llama_folder))


@pytest.fixture
def sliding() -> Any:
    """A Gemma with four sliding layers: past 4 x 7 tokens only a kept prefix can be seen."""
    import tiny

    return tiny.gemma(*["sliding_attention"] * 4)


@pytest.fixture(scope="session")
def tokenizer(gemma_folder: Path) -> Any:
    from roleplay.models.loading import load_tokenizer

    return load_tokenizer(str(gemma_folder))


@pytest.fixture(scope="session")
def pieces_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ``ice_text.model``."""
    import tiny_glm

    return tiny_glm.train_pieces(tmp_path_factory.mktemp("pieces"))


@pytest.fixture
def pieces(pieces_file: Path) -> Any:
    """The tokenizer of the small ChatGLM."""
    from roleplay.models.chatglm import ChatGLMTokenizer

    return ChatGLMTokenizer(str(pieces_file))


@pytest.fixture
def glm(pieces: Any) -> Any:
    """A small random ChatGLM."""
    import tiny_glm

    return tiny_glm.model(pieces)


@pytest.fixture
def glm_folder(glm: Any, pieces: Any, tmp_path: Path) -> Path:
    """The small ChatGLM as a folder that a test may change."""
    import tiny_glm

    return tiny_glm.save(glm, pieces, tmp_path / "chatglm")


@pytest.fixture(scope="session")
def glm_home(pieces_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small ChatGLM as a folder that no test changes."""
    import tiny_glm
    import torch

    from roleplay.models.chatglm import ChatGLMTokenizer

    torch.set_num_threads(1)
    tokenizer = ChatGLMTokenizer(str(pieces_file))
    return tiny_glm.save(
        tiny_glm.model(tokenizer), tokenizer, tmp_path_factory.mktemp("models") / "tiny-chatglm"
    )
