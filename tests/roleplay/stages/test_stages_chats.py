"""What a world keeps of its readers: chats, preferences, portraits; and how its people begin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from roleplay.chat import Chat
from roleplay.conversation import Session
from roleplay.errors import WorldError
from roleplay.stages import cast, chats, portraits, preferences
from roleplay.world import World


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    people = [{"name": "闻筝", "aliases": ["小筝"], "gender": "f"}, {"name": "陆迟"}]
    info = {"title": "雨", "characters": people}
    (tmp_path / "world.json").write_text(json.dumps(info), "utf-8")
    return tmp_path


@pytest.fixture
def session() -> Session:
    return Session().reply("闻筝", ["没得商量。", "漏了。", "走。"], "问：漏吗？\n闻筝：")


def write(path: Path, *rows: object) -> None:
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")


def test_chats_are_found_by_kind_the_newest_first(folder: Path, session: Session) -> None:
    older, newer = (Chat.begin("talk", character="闻筝", session=session) for _ in range(2))
    for chat in (newer.with_session(session), older, Chat.begin("scene", session=session)):
        chats.save(folder, chat)
    found = chats.find(folder, "talk")
    assert [chat.id for chat in found] == [newer.id, older.id]
    assert chats.read(folder, newer.id).session == session


def test_a_broken_file_hides_no_other_chat(folder: Path, session: Session) -> None:
    chats.save(folder, Chat.begin("talk", session=session))
    (folder / "conversations" / "broken.json").write_text("{", "utf-8")
    assert len(chats.find(folder, "talk")) == 1


def test_a_removed_chat_can_be_restored(folder: Path, session: Session) -> None:
    chat = Chat.begin("talk", session=session)
    chats.save(folder, chat)
    chats.remove(folder, chat.id)
    assert chats.find(folder, "talk") == []
    chats.restore(folder, chat.id)
    assert chats.find(folder, "talk") == [chat]
    with pytest.raises(WorldError, match="is missing"):
        chats.restore(folder, chat.id)


def test_an_id_never_leads_out_of_the_folder(folder: Path) -> None:
    with pytest.raises(WorldError, match="is missing"):
        chats.read(folder, "../world")


def pairs(session: Session) -> list[tuple[str | None, str | None]]:
    rows = preferences.preferences_of(session.turns[0])
    return [(row.chosen, row.rejected) for row in rows]


def test_a_liked_candidate_is_better_than_the_others(session: Session) -> None:
    assert pairs(session.mark(0, "liked")) == [("没得商量。", "漏了。"), ("没得商量。", "走。")]


def test_disliked_ones_alone_are_worse(session: Session) -> None:
    both = session.mark(0, "liked").swipe(0, 1).mark(0, "disliked")
    assert pairs(both) == [("没得商量。", "漏了。")]
    assert pairs(session.mark(0, "disliked")) == [(None, "没得商量。")]
    assert pairs(session) == []


def test_what_nobody_was_asked_teaches_nothing() -> None:
    typed = Session().add("闻筝：哼。").session.mark(0, "liked")
    assert preferences.preferences_of(typed.turns[0]) == []


def test_a_prompt_has_its_newest_marks_only(folder: Path, session: Session) -> None:
    for marked in (session.mark(0, "liked"), session.teach(0, "漏一点。")):
        rows = preferences.preferences_of(marked.turns[0], taught=len(marked.past) > 1, model="m")
        preferences.keep(folder, "问：漏吗？\n闻筝：", rows)
    kept = preferences.read(folder)
    assert {row.chosen for row in kept} == {"漏一点。"} and len(kept) == 3
    assert {(row.source, row.model, row.character) for row in kept} == {("taught", "m", "闻筝")}
    assert preferences.keep(folder, "问：漏吗？\n闻筝：", []) == 0


def test_a_broken_preferences_file_is_told_with_its_line(folder: Path) -> None:
    write(folder / "preferences.jsonl", {"prompt": 3})
    with pytest.raises(WorldError, match="preferences.jsonl"):
        preferences.keep(folder, "问：", [])


def test_a_picture_is_cut_square_and_shown_small(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "wide.jpg"
    Image.new("RGB", (300, 120), "red").save(source)
    portraits.keep(folder, "闻筝", source)
    with Image.open(folder / "portraits" / "闻筝.png") as kept:
        assert kept.size == (portraits.SIZE, portraits.SIZE)
    small = portraits.thumbnails(folder, ["闻筝", "陆迟"])
    assert list(small) == ["闻筝"] and small["闻筝"][:4] == b"RIFF"
    portraits.forget(folder, "闻筝")
    assert portraits.thumbnails(folder, ["闻筝"]) == {}


@pytest.mark.parametrize("name", ["../闻筝", "a/b", ".hidden", "长" * 90, "a\\b"])
def test_a_name_never_leads_out_of_the_folder(folder: Path, name: str) -> None:
    assert portraits.path_of(folder, name).resolve().parent == (folder / "portraits").resolve()


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused(folder: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(WorldError, match=r"x\.png is no picture"):
        portraits.keep(folder, "闻筝", tmp_path / "x.png")


def test_a_picture_of_too_many_points_is_refused(folder: Path, tmp_path: Path) -> None:
    Image.new("1", (8000, 8000)).save(tmp_path / "x.png")
    with pytest.raises(WorldError, match=r"x\.png is too large"):
        portraits.keep(folder, "闻筝", tmp_path / "x.png")


def test_people_have_a_greeting_and_questions_of_their_own(folder: Path) -> None:
    talk = {"character": "闻筝", "turns": [["早啊", "早。"]], "topic": "greeting"}
    asked = [{"character": "闻筝", "turns": [[f"第{n}问？", "哦。"]]} for n in range(9)]
    write(folder / "conversations.jsonl", talk, *asked)
    first, second = cast.introduce_cast(World.load(folder))
    assert (first.greeting, first.questions) == ("早。", ("第0问？", "第3问？", "第6问？"))
    assert (first.aliases, first.gender) == (("小筝",), "f")
    assert (second.greeting, second.questions) == ("", cast.questions_of("zh")[:3])


def test_a_world_in_english_asks_in_english(folder: Path) -> None:
    info = {"title": "Rain", "language": "en", "characters": [{"name": "Ann"}]}
    (folder / "world.json").write_text(json.dumps(info), "utf-8")
    [person] = cast.introduce_cast(World.load(folder))
    assert person.questions[0] == "Who are you?"
