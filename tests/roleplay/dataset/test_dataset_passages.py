"""Passages: who is learnt, where scenes are cut, and that training text is chat text.

One character is one token.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay import prompts
from roleplay.background import Snippet
from roleplay.dataset.curation import plain_weights
from roleplay.dataset.interviews import Asked, Group, group_queries, groups, with_background
from roleplay.dataset.passages import group_passage, scene_passages
from roleplay.dataset.scenes import cut_pieces, cut_scenes, scene_queries
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.prompts import Budget, question_prompt, scene_prompt
from roleplay.records import Line, Passage

WIDE = Budget(prompt=10_000, background=10_000)


FOUND = [Snippet("闻筝十六岁。", 0.9), Snippet("雨有\n十二场。", 0.4)]


def say(text: str, char: str = "闻筝") -> Line:
    return Line(kind="say", char=char, text=text)


SCENE = [
    Line(kind="info", text="窗外飘来一股热气"),
    say("小筝，椒盐的出笼咯！", "郝婶"),
    Line(kind="say", char="闻筝", text="焦的那头是我的，没得商量！", expression="兴奋"),
    Line(kind="act", char="闻筝", text="翻窗出去"),
    say("等等我……", "unknown"),
]


def context(
    *characters: str,
    found: list[Snippet] | None = None,
    profiles: dict[str, str] | None = None,
    **settings: Any,
) -> BuildContext:
    """Background everywhere if ``found`` is given, and profiles if they are."""
    settings = {
        "background_share": 1.0,
        "interview_background_share": 1.0,
        "profile_drop": 0.0,
        **settings,
    }
    source = (lambda query, k, **_: found[:k]) if found else None
    return BuildContext(characters, len, DatasetSettings(**settings), source, profiles or {})


def built(lines: list[Line], made_of: BuildContext, chapter: int = 0) -> list[Passage]:
    return build_scenes({chapter: lines}, made_of)


def build_scenes(chapters: dict[int, list[Line]], made_of: BuildContext) -> list[Passage]:
    pieces = cut_pieces(chapters, plain_weights(chapters, made_of)[0], made_of)
    queries = [query for one in pieces for query in scene_queries(one, one.learners, made_of)]
    return list(scene_passages(pieces, made_of.searched(queries)))


def build_interviews(rows: list[Asked], made_of: BuildContext) -> list[Passage]:
    found = list(groups(rows, made_of))
    queries = [query for group in found for query, _ in group_queries(group, made_of)]
    searched = made_of.searched(queries)
    return [group_passage(with_background(group, searched)) for group in found]


def targets(passage: Passage) -> list[tuple[str, float]]:
    return [(segment.text, segment.weight) for segment in passage.segments if segment.weight]


def text_of(passage: Passage) -> str:
    return "".join(segment.text for segment in passage.segments)


def test_only_the_bodies_of_wanted_lines_are_learnt() -> None:
    [passage] = built(SCENE, context("闻筝"))
    assert targets(passage) == [
        ("焦的那头是我的，没得商量！ \\emoji 兴奋\n", 1.0),
        ("\\me 翻窗出去\n", 1.0),
    ]


def test_a_scene_without_wanted_lines_is_no_passage() -> None:
    assert built(SCENE, context("陆迟")) == []


LINES = st.builds(
    Line,
    kind=st.sampled_from(["say", "think"]),
    char=st.sampled_from("甲乙"),
    text=st.text("雨（：\\\n", max_size=9).map("雨".__add__),
)


@given(st.lists(LINES, max_size=12), st.integers(10, 60))
def test_cutting_loses_no_line_and_holds_the_budget(lines: list[Line], most: int) -> None:
    scenes = list(cut_scenes(lines, len, most))
    assert [line for scene in scenes for line in scene] == lines
    for scene in scenes:
        size = sum(len(part) for line in scene for part in prompts.line_segments(line))
        assert size <= most or len(scene) == 1


def test_scenes_are_as_long_as_the_budget_allows() -> None:
    scenes = cut_scenes([say("雨" * 6)] * 5, len, 20)
    assert [len(scene) for scene in scenes] == [2, 2, 1]


@given(st.lists(LINES, min_size=1, max_size=8), st.booleans(), st.booleans())
def test_every_learnt_line_has_the_prompt_of_chat_before_it(
    lines: list[Line], found: bool, one: bool
) -> None:
    made_of = context(*("甲" if one else "甲乙"), found=FOUND if found else None, scene_tokens=1000)
    expected = {}
    for number, line in enumerate(lines):
        # A shared scene holds nobody's thoughts; who speaks alone in it sees its own.
        alone = len({row.char for row in lines if row.char in made_of.characters}) == 1
        before = [
            row for row in lines[:number] if alone or line.kind == "think" or row.kind != "think"
        ]
        chat = scene_prompt(
            line.char or "", before, count=len, background=FOUND if found else [], budget=WIDE
        )
        if line.char in made_of.characters:
            expected[chat.segments, prompts.line_segments(line)[1]] = number
    reached = set()
    for passage in built(lines, made_of):
        segments = [segment.text for segment in passage.segments]
        for place, segment in enumerate(passage.segments):
            if segment.weight:
                reached.add(expected[tuple(segments[:place]), segment.text])
    assert len(reached) == len(expected)


def test_every_learnt_answer_has_the_prompt_of_chat_before_it() -> None:
    history = [("几岁？", "十六。\n问这个干吗？"), ("你最爱\n吃什么？", "豆糕。")]
    rows = tuple(Asked("闻筝", question, answer) for question, answer in history)
    passage = group_passage(Group(rows, tuple(FOUND), "修雨匠"))
    segments = [segment.text for segment in passage.segments]
    chat = question_prompt(
        "闻筝",
        history[1][0],
        count=len,
        history=history[:1],
        background=FOUND,
        budget=WIDE,
        profile="修雨匠",
    )
    assert (tuple(segments[:-1]), segments[-1]) == (chat.segments, "豆糕。\n")


def test_interviews_learn_the_answers_on_one_line() -> None:
    group = Group((Asked("闻筝", "几岁？", "十六。\n怎么？"),))
    assert targets(group_passage(group)) == [("十六。 怎么？\n", 1.0)]


@pytest.mark.parametrize(("share", "with_background"), [(0.0, 0), (1.0, 6)])
def test_the_share_of_passages_with_background(share: float, with_background: int) -> None:
    made_of = context("闻筝", found=FOUND, background_share=share, scene_tokens=20)
    chapters = {1: [say("雨" * 12)] * 3, 2: [say("钟" * 12)] * 3}
    passages = build_scenes(chapters, made_of)
    assert [passage.chapter for passage in passages] == [1, 1, 1, 2, 2, 2]
    start = "【雨有 十二场。】\n【闻筝十六岁。】\n闻筝："
    assert sum(text_of(passage).startswith(start) for passage in passages) == with_background


def test_background_has_a_budget_and_keeps_the_best() -> None:
    [passage] = built([say("没得商量。")], context("闻筝", found=FOUND, background_tokens=12))
    assert text_of(passage) == "【闻筝十六岁。】\n闻筝：没得商量。\n"


THOUGHTS = [
    say("可以进来吗？", "陆迟"),
    Line(kind="think", char="闻筝", text="又来了。"),
    say("门没锁。"),
    Line(kind="think", char="陆迟", text="她生气了？"),
    say("不好意思。", "陆迟"),
]
"""Two speakers who think; the same scene is read by both, by one, or as a shared one."""


def test_a_shared_scene_holds_nobody_s_thoughts() -> None:
    shared = built(THOUGHTS, context("闻筝", "陆迟"))[0]
    assert text_of(shared) == "陆迟：可以进来吗？\n闻筝：门没锁。\n陆迟：不好意思。\n"
    assert [text for text, _ in targets(shared)] == ["可以进来吗？\n", "门没锁。\n", "不好意思。\n"]


def test_a_thought_is_learnt_in_a_passage_of_its_thinker_that_ends_with_it() -> None:
    found = {
        text_of(passage): targets(passage)
        for passage in built(THOUGHTS, context("闻筝", "陆迟"))[1:]
    }
    assert found == {
        "陆迟：可以进来吗？\n闻筝：(又来了。)\n": [("(又来了。)\n", 1.0)],
        "陆迟：可以进来吗？\n闻筝：门没锁。\n陆迟：(她生气了？)\n": [("(她生气了？)\n", 1.0)],
    }


def test_a_scene_of_one_learner_holds_its_thoughts_and_no_others() -> None:
    [passage] = built(THOUGHTS, context("闻筝"))
    assert (
        text_of(passage)
        == "陆迟：可以进来吗？\n闻筝：(又来了。)\n闻筝：门没锁。\n陆迟：不好意思。\n"
    )
    assert [text for text, _ in targets(passage)] == ["(又来了。)\n", "门没锁。\n"]


PROFILES = {"闻筝": "修雨匠", "陆迟": "抄写员", "铜婆": "掌柜", "郝婶": "卖豆糕"}


def test_a_shared_scene_starts_with_the_profiles_of_those_who_speak_most() -> None:
    lines = [
        say("来。", "郝婶"),
        *[say("雨停了？", "陆迟")] * 2,
        *[say("没得商量。")] * 3,
        *[say("老话说。", "铜婆")] * 4,
    ]
    made_of = context("闻筝", "陆迟", "铜婆", "郝婶", profiles=PROFILES, found=FOUND)
    start = "【铜婆：掌柜】\n【闻筝：修雨匠】\n【陆迟：抄写员】\n【雨有 十二场。】\n"
    assert text_of(built(lines, made_of)[0]).startswith(f"{start}【闻筝十六岁。】\n郝婶：来。\n")


def test_nobody_s_profile_stands_before_a_scene_without_them() -> None:
    [passage] = built(
        [say("来。", "陆迟"), say("门没锁，自己推。")], context("闻筝", profiles=PROFILES)
    )
    assert text_of(passage).startswith("【闻筝：修雨匠】\n陆迟：")


def test_profiles_are_dropped_at_random_and_scenes_stay_the_same() -> None:
    chapters = {1: [say("雨" * 12)] * 40}
    dropped = context("闻筝", profiles=PROFILES, profile_drop=0.5, scene_tokens=20)
    passages = build_scenes(chapters, dropped)
    texts = [text_of(passage) for passage in passages]
    assert {text.removeprefix("【闻筝：修雨匠】\n") for text in texts} == {f"闻筝：{'雨' * 12}\n"}
    assert 10 < sum(text.startswith("【闻筝") for text in texts) < 30


class Told:
    """A retriever that knows who may know what, and until which chapter."""

    def __init__(self) -> None:
        self.asked: set[tuple[str | None, int | None]] = set()

    def __call__(
        self, query: str, k: int, *, character: str | None = None, chapter: int | None = None
    ) -> list[Snippet]:
        self.asked.add((character, chapter))
        own = [Snippet(f"{character}的秘密。", 0.9)]
        return [*own, Snippet("雨有十二场。", 0.5)][:k]


def test_a_shared_scene_has_the_background_that_all_may_know_before_its_chapter() -> None:
    told = Told()
    made_of = BuildContext(("闻筝", "陆迟"), len, DatasetSettings(background_share=1.0), told)
    [passage] = built([say("可以进来吗？", "陆迟"), say("门没锁，自己推。")], made_of, chapter=5)
    assert text_of(passage).startswith("【雨有十二场。】\n陆迟：")
    assert told.asked == {("闻筝", 4), ("陆迟", 4)}


def questions(count: int, character: str = "闻筝") -> list[Asked]:
    return [Asked(character, f"{number}？", f"{number}。") for number in range(count)]


def test_every_question_is_learnt_once() -> None:
    rows = [*questions(10), *questions(5, "陆迟")]
    passages = build_interviews(rows, context("闻筝", "陆迟"))
    answers = [text for passage in passages for text, _ in targets(passage)]
    assert sorted(answers) == sorted(f"{row.answer}\n" for row in rows)
    assert {1, 2, 3} >= {len(targets(passage)) for passage in passages}


def test_a_passage_asks_one_character() -> None:
    for passage in build_interviews(
        [*questions(6), *questions(6, "陆迟")], context("闻筝", "陆迟")
    ):
        assert ("闻筝：" in text_of(passage)) != ("陆迟：" in text_of(passage))


def test_the_same_question_twice_keeps_both_answers_and_their_evidence() -> None:
    facts = [
        Asked("闻筝", "几岁？", "十六。", "fact", "闻筝今年十六岁。"),
        Asked("闻筝", "几岁？", "比陆迟小。", "fact", "陆迟比闻筝大一岁。"),
    ]
    one = context("闻筝", found=[Snippet("雨停了。")], interviews_a_passage=9, snippets=1)
    texts = "".join(map(text_of, build_interviews(facts, one)))
    assert all(fact.evidence in texts and fact.answer in texts for fact in facts)


def test_a_question_has_the_profile_of_who_answers() -> None:
    [passage] = build_interviews(questions(1, "陆迟"), context("闻筝", "陆迟", profiles=PROFILES))
    assert text_of(passage) == "【陆迟：抄写员】\n问：0？\n陆迟：0。\n"


def test_the_background_of_a_fact_holds_its_evidence() -> None:
    fact = Asked("闻筝", "你几岁？", "十六。", "fact", "闻筝今年十六岁。")
    [passage] = build_interviews([fact], context("闻筝", found=FOUND))
    assert (
        text_of(passage) == "【闻筝十六岁。】\n【闻筝今年十六岁。】\n问：你几岁？\n闻筝：十六。\n"
    )


def test_evidence_that_was_found_is_not_told_twice() -> None:
    fact = Asked("闻筝", "你几岁？", "十六。", "fact", "闻筝十六岁。")
    [passage] = build_interviews([fact], context("闻筝", found=FOUND))
    assert text_of(passage).count("闻筝十六岁。") == 1


def test_the_seed_decides_everything() -> None:
    def made(seed: int) -> list[Passage]:
        return build_interviews(questions(12), context("闻筝", found=FOUND, seed=seed))

    assert made(1) == made(1) != made(2)
