"""app.py up to the page: which world, which checkpoint, which port, and its errors in one line.

The file runs as a copy in a folder of its own, so that the checkpoints beside it are the test's.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from kb.embedding import get_embedder
from kb.index import build_index
from kb.snippets import make_snippet
from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo
from roleplay.errors import AdapterError, WorldError
from roleplay.world import World, WorldInfo

SOURCE = Path(__file__).resolve().parents[1] / "app.py"
BASE = {"model_type": "gemma3_text", "hidden_size": 640, "num_hidden_layers": 18, "vocab_size": 262144}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(SOURCE, tmp_path)
    folder = tmp_path / "worlds" / "雨"
    folder.mkdir(parents=True)
    cast = [{"name": "闻筝"}, {"name": "陆迟"}]
    (folder / "world.json").write_text(json.dumps({"title": "第十三场雨", "characters": cast}), encoding="utf-8")
    return tmp_path


@pytest.fixture
def app(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in ("WORLD", "MODEL", "CHECKPOINT", "HOST", "PORT", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("app_copy", root / "app.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def world(root: Path) -> World:
    return World.load(root / "worlds" / "雨")


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def checkpoint(root: Path, name: str, *, world: str = "雨", model: str = "gemma3-270m", loss: float = 1) -> Path:
    folder = root / "checkpoints" / name
    folder.mkdir(parents=True)
    info = {"kind": "prefix", "base": BASE | {"name": model}, "world": world, "result": {"test_loss": loss}}
    (folder / "adapter.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def test_the_checkpoint_of_this_world_and_model_is_found(app: ModuleType, root: Path, world: World) -> None:
    checkpoint(root, "a", world="别的")
    checkpoint(root, "b", model="qwen")
    wanted = checkpoint(root, "c")
    assert app.choose_checkpoint(None, world, "gemma3-270m") == wanted


def test_of_several_the_lowest_held_out_loss_is_taken(app: ModuleType, root: Path, world: World) -> None:
    checkpoint(root, "a", loss=3.7)
    best = checkpoint(root, "b", loss=3.4)
    (checkpoint(root, "c", loss=3.0) / "adapter.json").write_text("{", encoding="utf-8")
    assert app.choose_checkpoint(None, world, "gemma3-270m") == best


def test_no_checkpoint_fits_another_world_or_model(app: ModuleType, root: Path, world: World) -> None:
    checkpoint(root, "a", world="别的")
    checkpoint(root, "b", model="qwen")
    assert app.choose_checkpoint(None, world, "gemma3-270m") is None


def test_none_is_the_bare_model(app: ModuleType, root: Path, world: World) -> None:
    checkpoint(root, "c")
    assert app.choose_checkpoint("none", world, "gemma3-270m") is None


def test_the_named_checkpoint_wins(app: ModuleType, root: Path, world: World) -> None:
    checkpoint(root, "a")
    named = checkpoint(root, "z")
    assert app.choose_checkpoint(str(named), world, "gemma3-270m") == named


def test_a_half_written_folder_is_not_found(app: ModuleType, root: Path, world: World) -> None:
    (checkpoint(root, "a") / "adapter.json").unlink()
    assert app.choose_checkpoint(None, world, "gemma3-270m") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [("worlds", "is not a checkpoint of this program"), ("nowhere", "no checkpoint folder .*train one")],
)
def test_a_folder_that_is_no_checkpoint_is_refused(
    app: ModuleType, root: Path, world: World, name: str, message: str
) -> None:
    with pytest.raises(AdapterError, match=message):
        app.choose_checkpoint(str(root / name), world, "gemma3-270m")


def failure(app: ModuleType, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line that the app prints when it ends with 2."""
    assert app.main([*argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def test_a_port_in_use_is_one_line(
    app: ModuleType, world: World, busy_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failure(app, capsys, "--world", str(world.path), "--port", str(busy_port))
    assert f"cannot listen on 127.0.0.1:{busy_port} " in error
    assert error.endswith("stop the program that does, or choose another PORT\n")


def test_a_port_out_of_range_is_one_line(app: ModuleType, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot listen on 127.0.0.1:99999" in failure(app, capsys, "--world", str(world.path), "--port", "99999")


def test_an_unknown_world_lists_the_known(app: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = failure(app, capsys, "--world", str(root / "worlds" / "none"))
    assert error.endswith("known worlds are 雨\n")


def test_an_adapter_folder_that_is_none_is_one_line(
    app: ModuleType, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failure(app, capsys, "--world", str(world.path), "--checkpoint", str(world.path))
    assert f"{world.path} is not a checkpoint of this program" in error


def test_a_world_without_characters_is_one_line(
    app: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    World.create(root / "worlds" / "空", "空")
    error = failure(app, capsys, "--world", str(root / "worlds" / "空"), "--port", "0")
    assert "names no characters: add them, or distil the novel first" in error


def test_debug_lets_the_error_through(app: ModuleType, root: Path) -> None:
    with pytest.raises(WorldError, match="no world folder"):
        app.main(["--world", str(root / "none"), "--debug"])


def test_flags_may_come_from_the_environment(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "8000", "HOST": "0.0.0.0", "WORLD": "worlds/雨", "CHECKPOINT": "none"}.items():
        monkeypatch.setenv(name, value)
    args = app._parser().parse_args([])
    assert (args.port, args.host, args.world, args.checkpoint) == (8000, "0.0.0.0", Path("worlds/雨"), "none")
    assert app._parser().parse_args(["--port", "9000"]).port == 9000


def test_a_checkpoint_of_the_originals_script_is_taken_as_it_is(app: ModuleType, root: Path, world: World) -> None:
    (root / "checkpoint-3000").mkdir()
    (root / "checkpoint-3000" / "pytorch_model.bin").write_bytes(b"")
    for path in (root / "checkpoint-3000", root / "checkpoint-3000" / "pytorch_model.bin"):
        assert app.choose_checkpoint(str(path), world, "chatglm-6b") == path


@pytest.mark.parametrize(("value", "bits"), [("", 0), ("4", 4)])
def test_quantization_may_come_from_the_environment(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, value: str, bits: int
) -> None:
    monkeypatch.setenv("QUANTIZATION_BIT", value)
    assert app._parser().parse_args([]).quantization_bit == bits


def test_a_port_in_the_environment_that_is_no_number_is_told(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "八千")
    with pytest.raises(SystemExit, match="2"):
        app.main([])
    assert "argument --port: invalid int value: '八千'" in capsys.readouterr().err


def test_the_first_lines_of_the_script_are_the_example(app: ModuleType, world: World) -> None:
    assert app._opening(world) == ""
    rows = [json.dumps({"info": f"第{n}声钟"}, ensure_ascii=False) for n in range(20)]
    (world.path / "script.jsonl").write_text("\n".join(rows), encoding="utf-8")
    assert app._opening(world).startswith("【第0声钟】\n【第1声钟】\n")


def test_the_chapters_of_the_background_can_be_chosen(app: ModuleType, world: World) -> None:
    assert app._chapters(world) == ()
    folder = world.path / "kb"
    made = [make_snippet(title="雨", text=f"第{n}声钟。", source="s", chapter=n) for n in (None, 2, 1)]
    build_index(folder, made, get_embedder())
    novel = "".join(f"第{n}章 {title}\n\n雨下了一夜。\n\n" for n, title in (("一", "漏雨"), ("二", "夜市")))
    rows = [{"id": n, "chapter": n, "text": text, "span": [0, 1]} for n, text in enumerate(novel.split("\n\n\n"))]
    (world.path / "chunks.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert [number for _, number in app._chapters(world)] == [1, 2]
    (folder / "meta.json").write_text("{}", encoding="utf-8")
    assert app._chapters(world) == ()


@pytest.mark.parametrize(("mode", "wanted"), [("many", {}), ("profile", {"阿灯": "点灯的人"})])
def test_profiles_stand_in_prompts_if_the_adapter_learnt_them(
    app: ModuleType, root: Path, world: World, mode: str, wanted: dict[str, str]
) -> None:
    people = [{"name": "阿灯", "profile": "点灯的人"}, {"name": "小舟"}]
    info = WorldInfo.model_validate({"title": "雨", "characters": people})
    adapter = AdapterInfo(kind="lora", base=BaseModelInfo.model_validate(BASE | {"name": "x"}), mode=mode)
    assert app.trained_profiles(World(root, info), adapter) == wanted
    assert app.trained_profiles(World(root, info), None) == {}
