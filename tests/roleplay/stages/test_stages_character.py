"""Which adapter a world gets, who may speak in it, and what a reader is shown of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kb.embedding import get_embedder
from kb.index import build_index
from kb.snippets import make_snippet
from roleplay.adapters import start
from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo
from roleplay.backends.scripted import ScriptedBackend
from roleplay.errors import AdapterError, UsageError, WorldError
from roleplay.messages import Message
from roleplay.options import read_options
from roleplay.stages import character
from roleplay.stages.character import Choice, choose_checkpoint, introduce, join_agent, load_agent
from roleplay.world import World, WorldInfo

MODEL = "gemma3-270m"
BASE = {
    "model_type": "gemma3_text",
    "hidden_size": 640,
    "num_hidden_layers": 18,
    "vocab_size": 262144,
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with its own ``checkpoints`` in the place of the repository's."""
    for module in (character, start):
        monkeypatch.setattr(module, "CHECKPOINTS", tmp_path / "checkpoints")
    return tmp_path


@pytest.fixture
def world(root: Path) -> World:
    folder = root / "worlds" / "雨"
    folder.mkdir(parents=True)
    cast = [{"name": "闻筝"}, {"name": "陆迟"}]
    text = json.dumps({"title": "第十三场雨", "characters": cast})
    (folder / "world.json").write_text(text, encoding="utf-8")
    return World.load(folder)


def checkpoint(
    root: Path, name: str, *, world: str = "雨", model: str = MODEL, loss: float = 1
) -> Path:
    folder = root / "checkpoints" / name
    folder.mkdir(parents=True)
    base, result = BASE | {"name": model}, {"test_loss": loss}
    info = {"kind": "prefix", "base": base, "world": world, "result": result}
    (folder / "adapter.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def test_the_checkpoint_of_this_world_and_model_is_found(root: Path, world: World) -> None:
    checkpoint(root, "a", world="别的")
    checkpoint(root, "b", model="qwen")
    wanted = checkpoint(root, "c")
    assert choose_checkpoint("", world, MODEL) == wanted


def test_of_several_the_lowest_held_out_loss_is_taken(root: Path, world: World) -> None:
    checkpoint(root, "a", loss=3.7)
    best = checkpoint(root, "b", loss=3.4)
    broken = checkpoint(root, "c", loss=3.0) / "adapter.json"
    broken.write_text("{", encoding="utf-8")
    told: list[Message] = []
    assert choose_checkpoint("", world, MODEL, told.append) == best
    assert [str(line).startswith("passed over: ") for line in told] == [True]
    assert str(broken.parent) in told[0].text("zh")


def test_no_checkpoint_fits_another_world_or_model(root: Path, world: World) -> None:
    checkpoint(root, "a", world="别的")
    checkpoint(root, "b", model="qwen")
    assert choose_checkpoint("", world, MODEL) is None


def test_none_is_the_base_model(root: Path, world: World) -> None:
    checkpoint(root, "c")
    assert choose_checkpoint("none", world, MODEL) is None


def test_the_named_checkpoint_wins(root: Path, world: World) -> None:
    checkpoint(root, "a")
    named = checkpoint(root, "z", loss=9)
    assert choose_checkpoint(str(named), world, MODEL) == named


def test_a_half_written_folder_is_not_found(root: Path, world: World) -> None:
    (checkpoint(root, "a") / "adapter.json").unlink()
    assert choose_checkpoint("", world, MODEL) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("worlds", "is not a checkpoint of this program"),
        ("nowhere", "no checkpoint folder .*train one"),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_refused(
    root: Path, world: World, name: str, message: str
) -> None:
    with pytest.raises(AdapterError, match=message):
        choose_checkpoint(str(root / name), world, MODEL)


def test_a_checkpoint_of_the_originals_script_is_taken_as_it_is(root: Path, world: World) -> None:
    folder = root / "checkpoint-3000"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"")
    for path in (folder, folder / "pytorch_model.bin"):
        assert choose_checkpoint(str(path), world, "chatglm-6b") == path


def test_a_world_without_characters_is_refused_before_a_model_is_loaded(root: Path) -> None:
    empty = World.create(root / "worlds" / "空", "空")
    with pytest.raises(WorldError, match="names no characters: add them, or distil") as caught:
        load_agent(empty, Choice(model="nowhere"), print)
    assert "没有角色" in caught.value.text("zh")


@pytest.mark.parametrize(("mode", "wanted"), [("many", {}), ("profile", {"阿灯": "点灯的人"})])
def test_profiles_stand_in_prompts_if_the_adapter_was_trained_with_them(
    root: Path, mode: str, wanted: dict[str, str]
) -> None:
    people = [{"name": "阿灯", "profile": "点灯的人"}, {"name": "小舟"}]
    world = World(root, WorldInfo.model_validate({"title": "雨", "characters": people}))
    base = BaseModelInfo.model_validate(BASE | {"name": "x"})
    backend = ScriptedBackend(["哼。"])
    assert join_agent(world, backend, print).profiles == {}
    backend.adapter = AdapterInfo(kind="lora", base=base, mode=mode)
    assert join_agent(world, backend, print).profiles == wanted


def test_the_people_of_a_world_speak_with_its_background(world: World) -> None:
    told: list[Message] = []
    agent = join_agent(world, ScriptedBackend(["哼。"]), told.append)
    assert [*agent.characters] == ["闻筝", "陆迟"] and agent.retriever is None
    build_knowledge(world.path / "kb", None)
    found = join_agent(world, ScriptedBackend(["哼。"]), told.append).retriever
    assert found and found("第几声钟", 1)[0].source == "雨"
    assert [line.key for line in told] == ["character.background"] * 2


def test_background_is_left_out_where_none_is_wanted(world: World) -> None:
    (world.path / "kb").mkdir()  # broken: it is not even looked at
    assert join_agent(world, ScriptedBackend(["哼。"]), print, background=False).retriever is None


def build_knowledge(folder: Path, *chapters: int | None) -> None:
    made = [make_snippet(title="雨", text=f"第{n}声钟。", source="s", chapter=n) for n in chapters]
    build_index(folder, made, get_embedder())


def test_a_world_is_introduced_by_its_people_and_questions(world: World) -> None:
    assert introduce(world).title == "第十三场雨"
    assert introduce(world).characters == ("闻筝", "陆迟")
    seeds = introduce(world).questions
    row = {"expected": ["x"], "source": "wiki"}
    asked = [("闻筝", "钟怎么了？"), ("陆迟", "你几岁？"), ("闻筝", "糖呢？"), ("闻筝", "再见？")]
    rows = [
        row | {"id": f"q{number}", "character": name, "question": text}
        for number, (name, text) in enumerate(asked)
    ]
    write_rows(world.path / "questions.jsonl", rows)
    assert introduce(world).questions == (*seeds, "钟怎么了？", "糖呢？")


def test_the_first_lines_of_the_script_are_the_opening(world: World) -> None:
    assert introduce(world).opening == ""
    write_rows(world.path / "script.jsonl", [{"info": f"第{n}声钟"} for n in range(20)])
    assert introduce(world).opening == "\n".join(f"【第{n}声钟】" for n in range(8))


def test_the_chapters_of_the_background_can_be_chosen(world: World) -> None:
    assert introduce(world).chapters == ()
    build_knowledge(world.path / "kb", None, 2, 1)
    texts = ("第一章 漏雨\n\n雨下了一夜。\n\n", "第二章 夜市\n\n雨下了一夜。\n\n")
    rows = [
        {"id": n, "chapter": n, "text": text, "span": [0, 1]} for n, text in enumerate(texts, 1)
    ]
    write_rows(world.path / "chunks.jsonl", rows)
    assert introduce(world).chapters == (("第一章 漏雨", 1), ("第二章 夜市", 2))
    build_knowledge(world.path / "kb", 2)
    assert introduce(world).chapters == (("第二章 夜市", 2),)


def test_where_the_background_knows_no_chapters_the_novel_s_can_be_chosen(world: World) -> None:
    rows = [
        {"id": n, "chapter": n, "text": f"第{n}章 雨{n}\n\n雨下了一夜。\n\n", "span": [0, 1]}
        for n in (1, 2)
    ]
    write_rows(world.path / "chunks.jsonl", rows)
    assert [number for _, number in introduce(world).chapters] == [1, 2]
    write_rows(world.path / "chunks.jsonl", rows[:1])
    assert introduce(world).chapters == ()


def test_a_choice_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL", "chatglm-6b")
    monkeypatch.setenv("CHECKPOINT", "none")
    monkeypatch.setenv("QUANTIZATION_BIT", "4")
    assert read_options(Choice, {}) == Choice("chatglm-6b", "none", 4)
    assert read_options(Choice, {"quantization_bit": 8}).quantization_bit == 8
    monkeypatch.setenv("QUANTIZATION_BIT", "")
    assert read_options(Choice, {}).quantization_bit == 0
    monkeypatch.setenv("QUANTIZATION_BIT", "3")
    with pytest.raises(UsageError, match="--quantization-bit must be one of 0 4 8, not 3"):
        read_options(Choice, {})
