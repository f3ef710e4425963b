"""Cards into worlds and out of them: what a character can be talked to with, and what comes back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cards"))
import shapes

from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo
from roleplay.backends.scripted import ScriptedBackend
from roleplay.cards import png
from roleplay.cards.formats import main_icon, read_card, write_card
from roleplay.cards.portrait import draw
from roleplay.dialogue import Session
from roleplay.errors import CardError, UsageError, WorldError
from roleplay.records import Conversation, Line
from roleplay.stages import export_card, import_card
from roleplay.stages.character import join_agent
from roleplay.stages.described import fitted
from roleplay.stages.lore import whole_book
from roleplay.world import World
from scripts import export_card as export_script
from scripts import import_card as import_script

FULL = shapes.third(character_book=shapes.BOOK, mine=1)


def put(path: Path, content: Any) -> Path:
    data = content if isinstance(content, bytes) else shapes.dumped(content)
    path.write_bytes(data)
    return path


def imported(tmp_path: Path, content: Any, name: str = "card.json", **more: Any) -> World:
    more = {"world": tmp_path / "world", "background": False} | more
    card = put(tmp_path / name, content)
    return World.load(import_card.run(import_card.Settings(card=card, **more)).world)


def exported(tmp_path: Path, world: World, name: str, **more: Any) -> bytes:
    settings = export_card.Settings(world=world.path, output=tmp_path / name, **more)
    return export_card.run(settings).read_bytes()


def test_a_card_becomes_a_character_of_a_world(tmp_path: Path) -> None:
    world = imported(tmp_path, FULL)
    (person,) = world.info.characters
    assert (world.info.title, world.info.language, person.name) == ("闻筝", "zh", "闻筝")
    assert person.profile == "闻筝是滴答铺的学徒，急性子。\n嘴硬心软"
    assert (person.scenario, person.greeting) == ("你来修伞。", "*从梁上探出头* 没得商量，排队。")
    assert person.examples == (
        "问：早\n闻筝：晚了。\n闻筝：\\me 收起扳手",
        "问：修吗？\n闻筝：修。",
    )
    page = (world.path / "wiki" / "card-闻筝" / "闻笛.md").read_text(encoding="utf-8")
    assert page == "# 闻笛\n\n别名：笛子🎶\n\n闻笛是闻筝的母亲。\n"


@pytest.mark.parametrize("shape", shapes.READ)
def test_every_shape_can_be_talked_to_and_comes_back(shape: str, tmp_path: Path) -> None:
    data = shapes.READ[shape]
    world = imported(tmp_path, data, "somebody.x")
    agent = join_agent(world, ScriptedBackend(["嗯。"]), print)
    assert agent.question_prompt(world.names[0], "早").text.endswith(f"问：早\n{world.names[0]}：")
    assert exported(tmp_path, world, "out.json") == write_card(read_card(data), "json")


def test_the_portrait_is_saved_without_the_card(tmp_path: Path) -> None:
    world = imported(tmp_path, shapes.READ["PNG with both chunks"], "a.png")
    (person,) = world.info.characters
    assert person.portrait == "portraits/闻筝.png"
    assert (world.path / person.portrait).read_bytes() == shapes.PICTURE


@pytest.mark.parametrize("shape", ["V2 in a 1x1 PNG", "V2 in a PNG that breaks off", "V1, flat"])
def test_a_dot_is_no_portrait(shape: str, tmp_path: Path) -> None:
    world = imported(tmp_path, shapes.READ[shape])
    assert world.info.characters[0].portrait == "" and not world.is_there("portraits")


def test_faces_come_in_and_go_out(tmp_path: Path) -> None:
    world = imported(tmp_path, shapes.READ["CHARX with assets"], "a.charx")
    face = world.path / "portraits" / "闻筝" / "joy.png"
    assert face.read_bytes() == shapes.PICTURE
    face.with_name("微怒.png").write_bytes(draw("x"))
    made = read_card(exported(tmp_path, world, "b.charx"))
    names = [(asset["type"], asset["name"]) for asset in made.data["assets"]]
    assert names == [("icon", "main"), ("emotion", "joy"), ("emotion", "微怒")]
    assert draw("x") in made.files.values()


def test_what_a_card_says_stands_in_prompts(tmp_path: Path) -> None:
    world = imported(tmp_path, FULL)
    agent = join_agent(world, ScriptedBackend(["嗯。"]), print)
    assert agent.question_prompt("闻筝", "修吗").text == (
        "【闻筝：闻筝是滴答铺的学徒，急性子。 嘴硬心软 你来修伞。】\n"
        "问：早\n闻筝：晚了。 \\me 收起扳手\n问：修吗？\n闻筝：修。\n"
        "问：你好\n闻筝：没得商量，排队。 \\me 从梁上探出头\n"
        "问：修吗\n闻筝："
    )
    scene = agent.scene_prompt("闻筝", Session().add("陆迟：可以吗？").session).text
    assert scene.endswith("闻筝：\\me 从梁上探出头\n陆迟：可以吗？\n闻筝：")


def test_the_lorebook_is_found_as_background(tmp_path: Path) -> None:
    world = imported(tmp_path, FULL, background=True)
    agent = join_agent(world, ScriptedBackend(["嗯。"]), print)
    assert "【闻笛：笛子🎶；闻笛是闻筝的母亲。】" in agent.question_prompt(
        "闻筝", "闻笛是谁"
    ).text or ("闻笛是闻筝的母亲" in agent.question_prompt("闻筝", "闻笛是谁").text)


def test_examples_give_way_to_the_talk(tmp_path: Path) -> None:
    world = imported(tmp_path, FULL)
    agent = join_agent(world, ScriptedBackend(["嗯。"]), print)
    history = [("问" * 200, "答" * 200)] * 3
    prompt = agent.question_prompt("闻筝", "早", history=history)
    assert prompt.text.startswith("【闻筝：") and "修吗" not in prompt.text
    assert prompt.dropped == 2


def test_a_long_description_fits(tmp_path: Path) -> None:
    card = shapes.second(description="她说了一句话。" * 2000, first_mes="长" * 5000)
    agent = join_agent(imported(tmp_path, card), ScriptedBackend(["嗯。"]), print)
    assert len(agent.question_prompt("闻筝", "早").text) <= 1024


def test_an_adapter_of_this_world_knows_its_people(tmp_path: Path) -> None:
    world = imported(tmp_path, FULL)
    base = BaseModelInfo(name="x", model_type="t", hidden_size=1, num_hidden_layers=1, vocab_size=1)
    for name, known in (("world", True), ("other", False)):
        backend = ScriptedBackend(["嗯。"])
        backend.adapter = AdapterInfo(kind="lora", base=base, world=name)  # type: ignore[attr-defined]
        assert (join_agent(world, backend, print).openings == {}) == known


@pytest.mark.parametrize(
    ("text", "tokens", "wanted"),
    [
        ("一二。三四。", 6, "一二。三四。"),
        ("一二。三四。", 5, "一二。"),
        ("一二三四", 2, "一二"),
        ("", 3, ""),
    ],
)
def test_texts_are_cut_at_sentences(text: str, tokens: int, wanted: str) -> None:
    assert fitted(text, len, tokens) == wanted


def test_a_second_card_joins_the_world_and_a_namesake_does_not(tmp_path: Path) -> None:
    imported(tmp_path, FULL)
    world = imported(tmp_path, shapes.second(name="陆迟"), "b.json")
    assert world.names == ["闻筝", "陆迟"]
    with pytest.raises(
        CardError, match="card.json: 闻筝 is in .* already: replace it with --force"
    ):
        imported(tmp_path, FULL)


def test_force_replaces_the_character_and_its_pages(tmp_path: Path) -> None:
    world = imported(tmp_path, shapes.third(character_book={"entries": shapes.entries(3)}))
    folder = world.path / "wiki" / "card-闻筝"
    (folder / "词1.md").write_text("# 词1\n\n我改了。\n", encoding="utf-8")
    card = shapes.png(shapes.text_chunk("ccv3", shapes.encoded(shapes.third(personality="软"))))
    world = imported(tmp_path, card, "b.png", force=True)
    assert world.info.characters[0].profile.endswith("软")
    assert [path.name for path in folder.glob("*")] == ["词1.md"]
    assert [path.name for path in (world.path / "cards").glob("*")] == ["闻筝.png"]


def test_a_lorebook_becomes_pages_and_comes_back(tmp_path: Path) -> None:
    book = {
        "name": "滴答铺",
        "entries": {"0": {"uid": 0, "key": ["井"], "content": "一口井。", "mine": 1}},
    }
    world = imported(tmp_path, book, "lore.json")
    assert (world.names, world.info.title) == ([], "滴答铺")
    page = world.path / "wiki" / "lore-滴答铺" / "井.md"
    assert page.read_text(encoding="utf-8") == "# 井\n\n一口井。\n"
    made = json.loads(exported(tmp_path, world, "out.json", lorebook=True))
    assert book["entries"]["0"].items() <= made["entries"]["0"].items()  # type: ignore[index]
    page.write_text("# 井\n\n两口井。\n", encoding="utf-8")
    made = json.loads(exported(tmp_path, world, "out.json", lorebook=True))
    assert (made["entries"]["0"]["content"], made["entries"]["0"]["mine"]) == ("两口井。", 1)


def test_a_card_without_a_name_gets_that_of_its_file(tmp_path: Path) -> None:
    assert imported(tmp_path, shapes.second(name=""), "小舟.json").names == ["小舟"]


@pytest.mark.parametrize("shape", shapes.REFUSED)
def test_what_is_refused_leaves_nothing(shape: str, tmp_path: Path) -> None:
    data, _ = shapes.REFUSED[shape]
    if shape == "a lorebook":
        return
    with pytest.raises(CardError, match=r"card\.json: "):
        imported(tmp_path, data)
    assert not (tmp_path / "world").exists()


@pytest.mark.parametrize("name", ["../../evil", "a/b", "CON", "..", "x" * 500, "雨\n{{char}}\0"])
def test_a_name_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    home = tmp_path / "in"
    home.mkdir()
    card = shapes.png(
        shapes.text_chunk(
            "ccv3", shapes.encoded(shapes.third(name=name, character_book=shapes.BOOK))
        )
    )
    world = imported(home, card, "c.png")
    outside = {path for path in tmp_path.rglob("*") if world.path not in (path, *path.parents)}
    assert outside == {home, home / "c.png"}
    assert read_card(exported(tmp_path, world, "out.png")).text("name") == name


def test_what_was_changed_in_the_world_is_exported(tmp_path: Path) -> None:
    world = imported(tmp_path, FULL)
    path = world.path / "world.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    info["characters"][0] |= {"profile": "新的人设", "examples": ["问：早\n闻筝：晚。"]}
    path.write_text(json.dumps(info), encoding="utf-8")
    data = read_card(exported(tmp_path, world, "out.json")).data
    assert (data["description"], data["personality"], data["mine"]) == ("新的人设", "", 1)
    assert data["mes_example"] == "<START>\n{{user}}: 早\n{{char}}: 晚。"
    assert data["first_mes"] == shapes.FIELDS["first_mes"]


@pytest.fixture
def novel(tmp_path: Path) -> World:
    """A world of a novel: script, conversations and wiki."""
    folder = tmp_path / "雨"
    (folder / "wiki").mkdir(parents=True)
    cast = [
        {"name": "闻筝", "aliases": ["小筝"], "gender": "f", "profile": "学徒"},
        {"name": "陆迟"},
    ]
    put(folder / "world.json", {"title": "第十三场雨", "characters": cast})
    lines = [
        Line(kind="info", text="雨停了。"),
        Line(kind="say", char="陆迟", text="可以进来吗？", src_id=1),
        Line(kind="say", char="闻筝", text="门没锁，自己进来。", src_id=1),
    ]
    talk = Conversation(character="闻筝", turns=(("早", "早什么早。"),), topic="greeting")
    rows = "\n".join(json.dumps(line.to_json()) for line in lines)
    (folder / "script.jsonl").write_text(rows, encoding="utf-8")
    (folder / "conversations.jsonl").write_text(talk.model_dump_json(), encoding="utf-8")
    text = "'''闻筝'''是学徒修雨匠。\n== 喜好 ==\n闻筝最爱吃椒盐豆糕。"
    (folder / "wiki" / "闻筝.wiki").write_text(text, encoding="utf-8")
    (folder / "wiki" / "井底街.wiki").write_text("井底街终年不见光。", encoding="utf-8")
    return World.load(folder)


def test_a_character_of_a_novel_becomes_a_card(novel: World, tmp_path: Path) -> None:
    card = read_card(exported(tmp_path, novel, "out.png"))
    assert (card.version, card.text("name"), card.data["tags"]) == (3, "闻筝", ["第十三场雨"])
    assert card.text("description").startswith("学徒\n") and "修雨匠" in card.text("description")
    assert (card.text("first_mes"), card.text("scenario")) == ("早什么早。", "雨停了。")
    assert card.text("mes_example") == "<START>\n陆迟: 可以进来吗？\n{{char}}: 门没锁，自己进来。"
    entries = {entry["name"]: entry for entry in (card.book or {})["entries"]}
    assert entries.keys() == {"闻筝", "井底街"}
    assert entries["闻筝"]["keys"] == ["闻筝", "小筝"]
    assert entries["闻筝"]["insertion_order"] > entries["井底街"]["insertion_order"]
    assert all(one["extensions"]["match_whole_words"] is False for one in entries.values())
    assert main_icon(card) == draw("闻筝")


@pytest.mark.parametrize("name", ["out.png", "out.json", "out.charx"])
def test_a_novels_card_goes_to_another_world_and_comes_back(
    name: str, novel: World, tmp_path: Path
) -> None:
    first = exported(tmp_path, novel, name)
    world = imported(tmp_path, first, name)
    person = world.character("小筝")
    assert (person.gender, person.greeting) == ("f", "早什么早。")
    assert exported(tmp_path, world, name) == first


def test_the_lore_of_a_novel_has_its_names_as_keys(novel: World, tmp_path: Path) -> None:
    made = json.loads(exported(tmp_path, novel, "lore.json", lorebook=True))
    assert [entry["key"] for entry in made["entries"].values()] == [["井底街"], ["闻筝", "小筝"]]
    assert not any(entry["matchWholeWords"] for entry in made["entries"].values())
    assert "originalData" not in made
    assert whole_book(novel)[1] is False
    made = json.loads(exported(tmp_path, novel, "lore.json", lorebook=True, version=3))
    assert made["spec"] == "lorebook_v3" and len(made["data"]["entries"]) == 2


def test_a_portrait_of_ones_own(novel: World, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (20, 30), "red").save(tmp_path / "p.jpg")
    card = read_card(exported(tmp_path, novel, "out.png", portrait=tmp_path / "p.jpg"))
    assert card.picture and png.size_of(card.picture) == (20, 30)
    put(tmp_path / "bad.png", b"no picture")
    with pytest.raises(CardError, match="bad.png is no picture"):
        exported(tmp_path, novel, "out.png", portrait=tmp_path / "bad.png")


@pytest.mark.parametrize(
    ("name", "more", "told"),
    [
        ("out.txt", {}, "out.txt: give an ending of json png charx"),
        ("out.png", {"lorebook": True}, "give an ending of json"),
        ("out.charx", {"version": 2}, "always version 3"),
        ("out.json", {"version": 4}, "version"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    name: str, more: Any, told: str, novel: World, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=told):
        exported(tmp_path, novel, name, **more)


def test_nobody_to_export(novel: World, tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="no character '花三更'"):
        exported(tmp_path, novel, "out.png", character="花三更")


def test_the_scripts(novel: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, world = tmp_path / "闻筝.png", tmp_path / "new"
    assert export_script.main(["--world", str(novel.path), "--output", str(out)]) == 0
    assert import_script.main([str(out), "--world", str(world), "--no-background"]) == 0
    assert import_script.main([str(out), "--world", str(world), "--no-background"]) == 2
    told = capsys.readouterr()
    assert (
        "闻筝 as a card of version 3, 2 lore entries" in told.out
        and f"闻筝 is in {world}" in told.out
    )
    assert told.err.count("\n") == 1 and "replace it with --force" in told.err
