"""Who speaks, set right by a person: quotes, people, undo, and the script that follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from roleplay.errors import ScriptError, WorldError
from roleplay.stages import distill, speakers
from roleplay.stages.speakers import read_book
from roleplay.world import World

NOVEL = (
    "第一章 雨\n\n"
    + "闻筝说：“漏了。”\n陆迟说：“不好意思。”\n“哼。”\n" * 8
    + "\n第二章 钟\n\n"
    + "闻筝说：“走。”\n" * 8
)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "book.txt").write_text(NOVEL, encoding="utf-8")
    path = tmp_path / "mine"
    distill.run(distill.Settings(world=path, novel=tmp_path / "book.txt"))
    return path


def number_of(world: Path, text: str) -> int:
    return next(i for i, line in enumerate(read_book(world).lines) if line.text == text)


def speaker(world: Path, number: int) -> str | None:
    return read_book(world).lines[number].char


def test_the_pieces_of_a_chapter_are_its_text(world: Path) -> None:
    book = read_book(world)
    assert "".join(piece.text for piece in book.pieces(1)) == "".join(
        chunk.text for chunk in book.chunks if chunk.chapter == 1
    )
    quotes = [piece for piece in book.pieces(1) if piece.number is not None]
    assert len(quotes) == 24 and quotes[0].text == "漏了。"
    assert book.chapters[2].startswith("第二章 钟")


def test_a_quote_is_given_to_somebody_else_for_good(world: Path) -> None:
    number = number_of(world, "漏了。")
    assert speakers.assign(world, [number], "陆迟") == 1
    assert speaker(world, number) == "陆迟"
    distill.run(distill.Settings(world=world, max_chars=600))
    assert speaker(world, number_of(world, "漏了。")) == "陆迟"


def test_all_of_a_pattern_are_given_at_once(world: Path) -> None:
    book, number = read_book(world), number_of(world, "漏了。")
    assert book.meant(number, "quote") == [number]
    alike, all_ = book.meant(number, "alike"), book.meant(number, "speaker")
    assert {book.lines[i].cue for i in alike} == {book.lines[number].cue}
    assert set(alike) <= set(all_) and len(all_) >= 16
    assert speakers.assign(world, all_, "新来的") == len(all_)
    assert read_book(world).count()["新来的"] == len(all_)


def test_undo_goes_back_move_by_move_over_both_files(world: Path) -> None:
    before, number = read_book(world), number_of(world, "漏了。")
    speakers.assign(world, [number], "陆迟")
    speakers.merge(world, "陆迟", "闻筝")
    assert read_book(world).world.names == ["闻筝"] and speaker(world, number) == "闻筝"
    speakers.undo(world)
    assert speaker(world, number) == "陆迟" and "陆迟" in read_book(world).world.names
    speakers.undo(world)
    assert read_book(world).lines == before.lines
    with pytest.raises(WorldError, match="nothing to undo"):
        speakers.undo(world)


def test_two_people_become_one_with_all_names(world: Path) -> None:
    speakers.merge(world, "陆迟", "闻筝")
    [person] = World.load(world).info.characters
    assert (person.name, person.aliases) == ("闻筝", ("陆迟",))
    assert set(read_book(world).count()) == {"闻筝"}
    with pytest.raises(WorldError, match="cannot be merged with themselves"):
        speakers.merge(world, "闻筝", "闻筝")


def test_a_renamed_person_keeps_her_lines(world: Path) -> None:
    count = read_book(world).count()["闻筝"]
    more = {"aliases": ["小筝", " "], "gender": "f", "profile": "修雨匠"}
    speakers.change_person(world, "闻筝", name="闻小筝", **more)
    person = World.load(world).character("小筝")
    assert person.name == "闻小筝" and set(person.aliases) == {"小筝", "闻筝"}
    assert read_book(world).count()["闻小筝"] == count


def test_a_deleted_person_has_no_lines_now_nor_later(world: Path) -> None:
    speakers.delete_person(world, "陆迟")
    assert "陆迟" not in read_book(world).count()
    distill.run(distill.Settings(world=world))
    assert "陆迟" not in read_book(world).count()


@pytest.mark.parametrize("name", ["", " ", "长" * 41, "闻筝：", "【旁白】"])
def test_a_name_that_no_script_line_can_have_is_refused(world: Path, name: str) -> None:
    with pytest.raises(WorldError, match="a name has 1 to 40 letters"):
        speakers.assign(world, [number_of(world, "漏了。")], name)
    with pytest.raises(WorldError, match="a name has 1 to 40 letters"):
        speakers.add_person(world, name)


def test_a_name_belongs_to_one_person(world: Path) -> None:
    with pytest.raises(WorldError, match="闻筝 is a name of 闻筝 already"):
        speakers.add_person(world, "闻筝")
    speakers.add_person(world, "铜婆")
    assert World.load(world).names[-1] == "铜婆"
    with pytest.raises(WorldError, match="陆迟 is a name of 陆迟 already"):
        more = {"aliases": ["陆迟"], "gender": None, "profile": ""}
        speakers.change_person(world, "铜婆", name="铜婆", **more)


@pytest.mark.parametrize("number", [-1, 9999])
def test_only_lines_that_somebody_says_are_given(world: Path, number: int) -> None:
    with pytest.raises(ScriptError, match="there is no line"):
        speakers.assign(world, [number], "闻筝")


def test_the_script_follows_once(world: Path) -> None:
    number = number_of(world, "漏了。")
    speakers.assign(world, [number], "陆迟")
    assert speakers.settle(world) and not speakers.settle(world)
    assert World.load(world).read_script()[number].char == "陆迟"
    assert distill.run(distill.Settings(world=world)).complete  # still its own file


def test_what_is_doubtful_is_listed_with_what_stands_around_it(world: Path) -> None:
    book = read_book(world)
    assert {book.lines[i].text for i in book.doubtful} <= {"哼。", "漏了。", "不好意思。", "走。"}
    for shown in book.around([number_of(world, "漏了。")]):
        assert len(shown) <= 5 and any(piece.text == "漏了。" for piece in shown)
