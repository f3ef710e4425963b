"""Tiny real models for the tests of everything that runs one; made once a session, loaded fresh for each test.

Imports of torch stand inside the fixtures, so that the tests of plain text start at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # before the first import of huggingface_hub: no test reaches the hub


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
    from roleplay.models.causal import load_causal

    return load_causal(str(gemma_folder))


@pytest.fixture
def llama(llama_folder: Path) -> Any:
    from roleplay.models.causal import load_causal

    return load_causal(str(llama_folder))


@pytest.fixture
def sliding() -> Any:
    """A Gemma whose four layers are all sliding: past 4 x 7 tokens nothing but a kept prefix can be seen."""
    import tiny

    return tiny.gemma(*["sliding_attention"] * 4)


@pytest.fixture(scope="session")
def tokenizer(gemma_folder: Path) -> Any:
    from roleplay.models.causal import load_tokenizer

    return load_tokenizer(str(gemma_folder))
