"""Small talk: replies of the novel and our own, in their characters' turns and voices."""

from __future__ import annotations

from collections.abc import Sequence

from roleplay.background import Snippet
from roleplay.dataset.curation import line_weights
from roleplay.dataset.interviews import Asked, group_queries, groups, singles, with_background
from roleplay.dataset.passages import group_passage
from roleplay.dataset.protection import small_talk
from roleplay.dataset.rows import question_rows
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.dataset.small_talk import small_talk_rows
from roleplay.dataset.texts import items
from roleplay.dataset.voice import Voice
from roleplay.prompts import Budget
from roleplay.records import Line

CONTEXT = BuildContext(("闻筝", "陆迟"), len, DatasetSettings())
VOICES = {"闻筝": Voice(closing=("没得商量。", 1.0)), "陆迟": Voice()}


def said(char: str, text: str, confidence: float | None = None) -> Line:
    return Line(kind="say", char=char, text=text, confidence=confidence)


def info(text: str) -> Line:
    return Line(kind="info", text=text)


def rows_of(lines: Sequence[Line], most: float = 1e9) -> list[Asked]:
    chapters = {3: lines}
    weights, _ = line_weights(chapters, CONTEXT)
    return small_talk_rows(chapters, weights, VOICES, CONTEXT, most_tokens=most)


def talk(lines: Sequence[Line], most: float = 1e9) -> list[Asked]:
    """The novel's rows only."""
    return [row for row in rows_of(lines, most) if row.chapter is not None]


def test_a_reply_right_after_somebody_else_is_a_row() -> None:
    rows = talk(
        [
            said("郝婶", "你又爬屋顶！"),
            said("闻筝", "漏了就得爬。"),
            said("陆迟", "我扶梯子……可以吗？"),
        ]
    )
    assert {(row.character, row.question, row.answer) for row in rows} == {
        ("闻筝", "你又爬屋顶！", "漏了就得爬。"),
        ("陆迟", "漏了就得爬。", "我扶梯子……可以吗？"),
    }
    assert {(row.task, row.chapter) for row in rows} == {("small_talk", 3)}


def test_what_is_no_reply_is_none() -> None:
    first = said("郝婶", "你又爬屋顶！")
    assert talk([first, info("钟响了。"), said("闻筝", "漏了就得爬。")]) == []
    assert talk([first, Line(kind="act", char="闻筝", text="爬上屋顶")]) == []
    assert (
        talk([Line(kind="think", char="陆迟", text="她又爬屋顶。"), said("闻筝", "漏了就得爬。")])
        == []
    )
    assert talk([said("闻筝", "我又爬屋顶。"), said("闻筝", "漏了就得爬。")]) == []
    assert talk([first, said("郝大叔", "漏了就得爬。")]) == []


def test_nothing_doubtful_and_no_interjection() -> None:
    reply = said("闻筝", "漏了就得爬。")
    for before in (
        said("郝婶", "你又爬屋顶！", 0.3),
        said("unknown", "你又爬屋顶！"),
        said("郝婶", "嗯？"),
    ):
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
    few = rows_of(lines, 200)
    novel = [row for row in few if row.chapter == 3]
    assert (
        {row.character for row in novel}
        == {row.character for row in few if row not in novel}
        == {"闻筝", "陆迟"}
    )
    assert 60 < sum(len(row.answer) + 1 for row in novel) <= 80
    assert 170 < sum(len(row.answer) + 1 for row in few) <= 200
    assert len(talk(lines)) == 41


def test_remarks_of_our_own_fill_up_in_the_characters_voices() -> None:
    rows = rows_of([])
    assert {row.character for row in rows} == {"闻筝", "陆迟"} and {row.task for row in rows} == {
        "small_talk"
    }
    replies = {item["text"]: item["replies"] for item in items("small_talk")}
    assert len(rows) == 2 * len(replies) >= 140
    for row in rows:
        plain = row.answer.removesuffix("没得商量。")
        assert plain in replies[row.question] and (plain != row.answer) == (row.character == "闻筝")


def test_no_remark_is_both_trained_and_held_out() -> None:
    assert not {item["text"] for item in items("small_talk")} & set(small_talk())


def always(
    query: str, k: int, *, character: str | None = None, chapter: int | None = None
) -> Sequence[Snippet]:
    """A retriever that finds something for everything."""
    return [Snippet(f"{query}：有这么一回事。")]


def test_a_line_of_the_novel_has_no_background_and_a_remark_has() -> None:
    settings = DatasetSettings(interview_background_share=1.0)
    context = BuildContext(("闻筝",), len, settings, retriever=always)
    asked = [
        Asked("闻筝", "钟响了？", "响了。", "small_talk", chapter=4),
        Asked("闻筝", "早啊。", "你也早。", "small_talk"),
    ]
    alone, together = list(singles(asked, context)), list(groups(asked[:1], context))
    assert [group_queries(group, context) for group in together] == [[]]
    searched = context.searched(query for one in alone for query, _ in group_queries(one, context))
    shown = [with_background(group, searched) for group in alone]
    novel, remark = question_rows(shown, context, budget=Budget(500, 400))
    assert (novel.chapter, novel.prompt) == (4, "问：钟响了？\n闻筝：")
    assert remark.chapter is None and "有这么一回事" in remark.prompt
    texts = [
        "".join(s.text for s in passage.segments)
        for passage in (group_passage(with_background(group, searched)) for group in together)
    ]
    assert texts == ["问：钟响了？\n闻筝：响了。\n"]
