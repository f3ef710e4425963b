"""Talk rows: replies of the novel as answers, in their characters' turns, with what was known before."""

from __future__ import annotations

from collections.abc import Sequence

from roleplay.dataset.curation import line_weights
from roleplay.dataset.interviews import Asked, Evidence
from roleplay.dataset.passages import build_interviews
from roleplay.dataset.rows import question_rows
from roleplay.dataset.settings import DatasetSettings, Materials
from roleplay.dataset.talk import talk_rows
from roleplay.prompts import Budget, Snippet
from roleplay.records import Line

MATERIALS = Materials(("闻筝", "陆迟"), len, DatasetSettings())


def said(char: str, text: str, confidence: float | None = None) -> Line:
    return Line(kind="say", char=char, text=text, confidence=confidence)


def info(text: str) -> Line:
    return Line(kind="info", text=text)


def talk(lines: Sequence[Line], most: float = 1e9, *, chapter: int = 3) -> list[Asked]:
    chapters = {chapter: lines}
    weights, _ = line_weights(chapters, MATERIALS)
    return talk_rows(chapters, weights, MATERIALS, most_tokens=most)


def test_a_reply_right_after_somebody_else_is_a_row() -> None:
    rows = talk([said("郝婶", "你又爬屋顶！"), said("闻筝", "漏了就得爬。"), said("陆迟", "我扶梯子……可以吗？")])
    assert {(row.character, row.question, row.answer) for row in rows} == {
        ("闻筝", "你又爬屋顶！", "漏了就得爬。"),
        ("陆迟", "漏了就得爬。", "我扶梯子……可以吗？"),
    }
    assert {(row.task, row.chapter) for row in rows} == {("talk", 3)}


def test_what_is_no_reply_is_none() -> None:
    first = said("郝婶", "你又爬屋顶！")
    assert talk([first, info("钟响了。"), said("闻筝", "漏了就得爬。")]) == []
    assert talk([first, Line(kind="act", char="闻筝", text="爬上屋顶")]) == []
    assert talk([Line(kind="think", char="陆迟", text="她又爬屋顶。"), said("闻筝", "漏了就得爬。")]) == []
    assert talk([said("闻筝", "我又爬屋顶。"), said("闻筝", "漏了就得爬。")]) == []
    assert talk([first, said("郝大叔", "漏了就得爬。")]) == []


def test_nothing_doubtful_and_no_interjection() -> None:
    reply = said("闻筝", "漏了就得爬。")
    for before in (said("郝婶", "你又爬屋顶！", 0.3), said("unknown", "你又爬屋顶！"), said("郝婶", "嗯？")):
        assert talk([before, reply]) == []
    first = said("郝婶", "你又爬屋顶！")
    for after in (said("闻筝", "漏了就得爬。", 0.3), said("闻筝", "哦。")):
        assert talk([first, after]) == []
    assert len(talk([said("郝婶", "你又爬屋顶！", 0.9), reply])) == 1


def test_the_share_is_dealt_out_evenly() -> None:
    lines = []
    for number in range(40):
        lines += [said("郝婶", f"第{number}回喊你。"), said("闻筝", f"第{number}回答你。")]
    lines += [said("郝婶", "抄完了没有？"), said("陆迟", "还差一页……")]
    few = talk(lines, 40)
    assert {row.character for row in few} == {"闻筝", "陆迟"}
    assert 20 < sum(len(row.answer) + 1 for row in few) <= 40
    assert len(talk(lines)) == 41


class Chapters:
    """A lookup that gives one snippet of every chapter that is known."""

    def __call__(
        self, query: str, k: int, *, character: str | None = None, chapter: int | None = None
    ) -> Sequence[Snippet]:
        return [Evidence(f"第{number}章的事。") for number in range(1, 10) if chapter is None or number <= chapter][-k:]


def test_the_background_is_what_was_known_before_the_earliest_line() -> None:
    settings = DatasetSettings(interview_background_share=1.0, snippets=9, interviews_a_passage=2)
    materials = Materials(("闻筝",), len, settings, lookup=Chapters())
    rows = [Asked("闻筝", f"第{n}问？", f"第{n}答。", "talk", chapter=n) for n in (4, 6)]
    for passage in build_interviews(rows, materials):
        text = "".join(segment.text for segment in passage.segments)
        first = 4 if "第4问" in text else 6
        assert f"第{first - 1}章的事" in text and f"第{first}章的事" not in text
    for row in question_rows(rows, materials, budget=Budget(500, 400)):
        assert row.chapter in (4, 6) and row.task == "talk"
        assert f"第{row.chapter - 1}章" in row.prompt and f"第{row.chapter}章" not in row.prompt
