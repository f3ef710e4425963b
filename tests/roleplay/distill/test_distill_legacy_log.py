"""The seed's later form: a log of chapters and the chapters with their summaries; names spelled twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from roleplay.distill.legacy_data import Cleaned
from roleplay.distill.legacy_log import add_chapters, clean_log
from roleplay.distill.legacy_names import likely_aliases
from roleplay.files import read_json, read_jsonl
from roleplay.records import Line
from roleplay.stages.plot import read_plot, summary_notes
from roleplay.world import World
from scripts import import_old_data

LOG = r"""
==========第一卷 漏雨 第一章==========
闻筝修好了漏雨，铜婆没有来。
闻筝 主角，修好漏雨 在天黑前修好 没有瓦 爬上屋顶
铜婆 配角 无 None
【雨停了】
闻筝：没得商量。\emoji 微哀
闻筝：\me 转身\emoji None
铜婆：（她怎么知道
是我？）\emoji 大哭

闻筝：……
==========第一卷 漏雨 第二章==========
【天亮了，
没有人来】
铜婆：
铜婆：哟。 \emoji 蓝色
"""
CHAPTERS: dict[str, Any] = {
    "0": {
        "chapter_id": 0,
        "title": "第一卷 漏雨 第一章",
        "chunk_ids": [0, 1],
        "summary": "另一个摘要。",
        "characters": {},
    },
    "1": {
        "chapter_id": 1,
        "title": "第一卷 漏雨 第二章",
        "chunk_ids": [2, "3"],
        "summary": "铜婆来了。",
        "characters": {
            "铜婆": {"goal": "看雨", "obstacle": None, "plan": "等", "role": "街坊"},
            "雨": {"goal": "无", "obstacle": None, "plan": "", "role": "未知"},
        },
    },
    "2": {"chapter_id": 2, "title": "后记", "chunk_ids": [4], "summary": None},
}


def test_a_log_is_a_script_with_chapters() -> None:
    cleaned = clean_log(LOG)
    assert [(line.kind, line.char, line.text, line.expression) for line in cleaned.lines] == [
        ("info", None, "雨停了", None),
        ("say", "闻筝", "没得商量。", "悲哀"),
        ("act", "闻筝", "转身", None),
        ("think", "铜婆", "她怎么知道是我？", "哭泣"),
        ("info", None, "天亮了，没有人来", None),
        ("say", "铜婆", "哟。", None),
    ]
    assert cleaned.titles == {0: "第一卷 漏雨 第一章", 1: "第一卷 漏雨 第二章"}
    assert cleaned.chapters == {0: 0, 1: 1} and {line.src_id for line in cleaned.lines} == {0, 1}
    assert cleaned.problems == ["line 16: nothing after the colon: 铜婆："]
    assert (cleaned.given, cleaned.kept) == (8, 7) and cleaned.counts["expression dropped"] == 1


def test_what_stands_before_a_script_is_what_happens_and_who_is_after_what() -> None:
    rows = [row.model_dump(exclude_none=True) for row in clean_log(LOG).summaries]
    aims = {
        "role": "主角，修好漏雨",
        "goal": "在天黑前修好",
        "obstacle": "没有瓦",
        "plan": "爬上屋顶",
    }
    assert rows == [
        {"chapter": 0, "summary": "闻筝修好了漏雨，铜婆没有来。"},
        {"chapter": 0, "character": "闻筝", "summary": "主角，修好漏雨", **aims},
        {"chapter": 0, "character": "铜婆", "summary": "配角", "role": "配角"},
    ]


def test_a_chapter_without_a_name_and_a_log_without_chapters() -> None:
    named = clean_log("==========chapter==========\n雨。\n甲：好。\n" * 2)
    assert named.titles == {0: "", 1: ""} and len(named.summaries) == 2
    bare = clean_log("甲：好。\n乙：不好。")
    assert bare.titles == {0: ""} and len(bare.lines) == 2


def test_long_chapters_are_cut_into_chunks() -> None:
    cleaned = clean_log("===一===\n" + "甲：好。\n" * 40 + "===二===\n乙：好。\n")
    assert cleaned.chapters == {0: 0, 1: 0, 2: 0, 3: 1}


def test_chapters_alone_give_chunks_and_summaries() -> None:
    cleaned = Cleaned()
    add_chapters(cleaned, CHAPTERS)
    assert cleaned.chapters == {0: 0, 1: 0, 2: 1, 4: 2} and cleaned.titles[2] == "后记"
    rows = [row.model_dump(exclude_none=True) for row in cleaned.summaries]
    assert rows[1:] == [
        {"chapter": 1, "summary": "铜婆来了。"},
        {
            "chapter": 1,
            "character": "铜婆",
            "summary": "街坊",
            "role": "街坊",
            "goal": "看雨",
            "plan": "等",
        },
    ]


def test_chapters_beside_a_log_add_what_it_does_not_tell() -> None:
    cleaned = clean_log(LOG)
    add_chapters(cleaned, list(CHAPTERS.values()))
    assert [row.summary for row in cleaned.summaries if row.character is None] == [
        "闻筝修好了漏雨，铜婆没有来。",
        "铜婆来了。",
    ]
    assert cleaned.chapters == {0: 0, 1: 1} and cleaned.counts["chapter that the log lacks"] == 1


@pytest.mark.parametrize("content", [[7, None], {"0": []}, ["x"], [{"chapter_id": "x"}], "ab", 7])
def test_chapters_of_another_form_stop_nothing(content: Any) -> None:
    cleaned = Cleaned()
    add_chapters(cleaned, content)
    assert cleaned.summaries == []


def said(*names: str) -> list[Line]:
    """Ten names a chunk, each saying one line."""
    rows = enumerate(names)
    return [Line(kind="say", char=name, text=f"第{n}句。", src_id=n // 10) for n, name in rows]


def test_names_that_may_be_one_come_with_their_counts_the_likeliest_first() -> None:
    names = ["法利亚格尼"] * 5 + ["法力亚格尼"] * 2 + ["悠二", "坂井悠二", "别人"]
    found = likely_aliases(said(*names * 3))
    assert [(row.name, row.alias, row.lines, row.chunks) for row in found] == [
        ("法利亚格尼", "法力亚格尼", (15, 6), 3),
        ("坂井悠二", "悠二", (3, 3), 3),
    ]
    assert [row.why for row in found] == ["one character apart", "one is in the other"]


@pytest.mark.parametrize(
    "names",
    [
        ("佐藤", "佐藤和田中"),
        ("村民一号", "村民二号"),
        ("男人1", "男人2"),
        ("他父亲", "他母亲"),
        ("公爵", "公爵夫人"),
        ("卢涅", "卢涅等人"),
        ("村长", "船长"),
    ],
)
def test_names_that_are_two(names: tuple[str, str]) -> None:
    assert likely_aliases(said(*names * 5)) == []


def test_names_of_different_chunks_are_not_offered() -> None:
    assert likely_aliases(said(*["露易丝"] * 10, *["别人"] * 20, *["露易斯"] * 10)) == []


def test_many_names_are_bounded_and_quick() -> None:
    names = [f"{a}{b}尔{c}" for a in "阿伊乌艾欧" for b in "卡克姆那" for c in "丝斯思"] * 20
    found = likely_aliases(said(*names))
    assert len(found) == 40 and found[0].chunks >= found[-1].chunks


def run(tmp_path: Path, *flags: str) -> int:
    return import_old_data.main(["--world", str(tmp_path / "mine"), *flags])


def write(path: Path, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_log_makes_a_world_with_plot_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--log", write(tmp_path / "log.txt", LOG), "--at-least", "1"]
    flags += ["--chapters", write(tmp_path / "all_chapters.json", CHAPTERS)]
    assert run(tmp_path, *flags) == 0
    told = capsys.readouterr().out
    assert "plot     5 summaries of 2 chapters" in told
    assert told.splitlines()[-1].startswith("next: python scripts/build_knowledge_base.py")
    world = World.load(tmp_path / "mine")
    assert world.names == ["闻筝", "铜婆"] and {*world.lines_by_chapter()} == {0, 1}
    assert len(list(read_jsonl(world.path / "summaries.jsonl"))) == 5
    notes = summary_notes(read_plot(world.path))
    assert notes[0].people == ("铜婆", "闻筝") and "闻筝的目标: 在天黑前修好" in notes[1].text


def test_content_with_chapters(tmp_path: Path) -> None:
    content = [[{"char": "小舟", "say": f"第{n}句。"}] for n in range(5)]
    flags = ["--content", write(tmp_path / "all_content.json", content)]
    flags += ["--chapters", write(tmp_path / "all_chapters.json", CHAPTERS)]
    assert run(tmp_path, *flags) == 0
    chunks = World.load(tmp_path / "mine").read_chunks()
    assert [chunk.chapter for chunk in chunks] == [0, 0, 1, 1, 2]


def test_the_map_is_asked_for_where_expressions_are_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = [{"char": "小舟", "say": "船来了。", "expression": "空洞"}]
    flags = ["--content", write(tmp_path / "all_content.json", content)]
    assert run(tmp_path, *flags) == 0
    assert "give the author's map with --expression-map" in capsys.readouterr().out
    flags += ["--expression-map", write(tmp_path / "map.json", {"空洞": "平静"}), "--force"]
    assert run(tmp_path, *flags) == 0
    assert "--expression-map" not in capsys.readouterr().out
    assert World.load(tmp_path / "mine").read_script()[0].expression == "平静"


def test_what_keeps_under_half_says_so_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = write(tmp_path / "c.json", [{"char": "小舟", "say": "船来了。"}])
    asked = write(tmp_path / "i.json", [{"ask": "谁？", "answer": "我。", "who": "小舟"}] * 9)
    assert run(tmp_path, "--content", content, "--interview", asked) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"only 0 of 9 were kept of {asked} (interview without a character)")


def test_one_script_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 2 and run(tmp_path, "--content", "x", "--log", "y") == 2
    told = capsys.readouterr().err.splitlines()
    assert all("--content all_content.json or --log merged_log.txt" in line for line in told)


def test_the_report_has_the_pairs(tmp_path: Path) -> None:
    rows = [{"char": name, "say": f"第{n}句。"} for n, name in enumerate(["露易丝", "露易斯"] * 3)]
    assert run(tmp_path, "--content", write(tmp_path / "c.json", [rows])) == 0
    report = read_json(tmp_path / "mine" / "report" / "import.json")
    assert report["likely_aliases"][0]["lines"] == [3, 3]
    told = (tmp_path / "mine" / "report" / "import.md").read_text(encoding="utf-8")
    assert "* 露易丝 (3 lines) / 露易斯 (3): one character apart, together in 1 chunks" in told
