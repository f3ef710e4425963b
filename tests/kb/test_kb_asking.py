"""What a question names, and whom it is about."""

import pytest

from kb.asking import Question, read_question
from kb.names import Names

NAMES = Names([("闻筝", ["小筝"]), ("陆迟", []), ("沈砚秋", []), ("使魔", []), ("Anna Lee", [])])


def about(query: str) -> tuple[str, list[str]] | None:
    """The question, and whom it is about, those who matter most first."""
    question = read_question(query, NAMES)
    if question is None:
        return None
    subjects = sorted(question.subjects, key=lambda subject: -subject.weight)
    return question.question, [min(subject.titles) for subject in subjects]


@pytest.mark.parametrize(
    ("query", "question", "subjects"),
    [
        ("陆迟多高？", "陆迟多高?", ["陆迟"]),
        ("闻筝 陆迟多高？", "陆迟多高?", ["陆迟"]),
        ("闻筝 你多高？", "你多高?", ["闻筝"]),
        ("聞箏 你喜歡陸遲嗎？", "你喜欢陆迟吗?", ["陆迟", "闻筝"]),
        ("闻筝 你知道陆迟多高吗？", "你知道陆迟多高吗?", ["陆迟"]),
        ("闻筝 钟怎么响了？", "钟怎么响了?", ["闻筝"]),
        ("闻筝 小筝多高？", "小筝多高?", ["闻筝"]),
        ("陆迟的使魔是什么？", "陆迟的使魔是什么?", ["陆迟", "使魔"]),
        ("陆迟和沈砚秋谁高？", "陆迟和沈砚秋谁高?", ["陆迟", "沈砚秋"]),
        ("anna lee where is 陆迟", "where is 陆迟", ["陆迟"]),
        ("悠二 陆迟多高？", "悠二 陆迟多高?", ["陆迟"]),
    ],
)
def test_a_question_is_about_the_pages_that_it_names(
    query: str, question: str, subjects: list[str]
) -> None:
    assert about(query) == (question, subjects)


def test_names_that_are_joined_count_alike_and_later_ones_less() -> None:
    weights = [
        [
            subject.weight
            for subject in (read_question(query, NAMES) or Question("", (), False, False)).subjects
        ]
        for query in ("陆迟和沈砚秋谁高", "陆迟的使魔", "闻筝 你喜欢陆迟吗")
    ]
    assert weights[0] == [1, 1] and weights[1][0] == 1 > weights[1][1]
    assert weights[2][0] == 1 > weights[2][1] > 0


@pytest.mark.parametrize(
    "query", ["钟怎么响了？", "陆迟走进了雨里。" * 20, "陆迟：走吧。\n闻筝：好。", ""]
)
def test_what_names_nobody_and_what_is_a_scene_is_no_such_question(query: str) -> None:
    assert about(query) is None


@pytest.mark.parametrize(
    ("query", "of_plot"),
    [("陆迟第一次说了什么", True), ("陆迟在第三章做了什么", True), ("陆迟多高", False)],
)
def test_questions_of_the_plot_are_told(query: str, of_plot: bool) -> None:
    question = read_question(query, NAMES)
    assert question and question.of_plot == of_plot
