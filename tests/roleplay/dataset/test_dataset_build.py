"""A whole data set: what is searched, and what is refused. One character is one token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from roleplay.background import Query, Snippet
from roleplay.dataset.build import Part, Source, build, check_mode, profiles_of
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.errors import DatasetError
from roleplay.prompts import Budget
from roleplay.records import Interview, Line
from roleplay.world import Character

PEOPLE = [Character(name="闻筝", profile="修雨匠"), Character(name="陆迟")]
NAMES = ("闻筝", "陆迟")
BUDGET = Budget(prompt=400, background=160)
CHAPTERS = {
    chapter: [
        Line(kind="say", char=NAMES[number % 2], text=f"第{chapter}章第{number}句话。")
        for number in range(12)
    ]
    for chapter in range(1, 7)
}
INTERVIEWS = [
    Interview(id=f"{name}{number}", character=name, question=f"第{number}个问题？", answer=answer)
    for name in NAMES
    for number, answer in enumerate(("豆糕。", "住在檐下巷。", "修雨的时候。", "不收钱。"))
]
SOURCE = Source(PEOPLE, CHAPTERS, INTERVIEWS)


class Counting:
    """A retriever that keeps what it was asked, all at once."""

    def __init__(self) -> None:
        self.calls: list[Sequence[Query]] = []

    def __call__(self, query: str, k: int, **_: Any) -> list[Snippet]:
        raise AssertionError("one by one")

    def search_many(self, queries: Sequence[Query]) -> list[list[Snippet]]:
        self.calls.append(queries)
        return [[Snippet(f"关于{one.text[-6:]}。", 0.9)][: one.k] for one in queries]


def made(retriever: Any = None, source: Source = SOURCE, **settings: Any) -> dict[str, Part]:
    context = BuildContext(NAMES, len, DatasetSettings(**settings), retriever)
    return build(source, context, budget=BUDGET)


def test_every_query_is_searched_once_for_passages_and_rows_of_both_parts() -> None:
    counting = Counting()
    made(counting, background_share=1.0, test_background=True)
    [queries] = counting.calls
    assert len(queries) == len(set(queries)) > 30
    assert {query.chapter for query in queries} == {None, *range(6)}


def test_many_at_once_is_what_one_by_one_is() -> None:
    counting = Counting()

    def one(query: str, k: int, *, character: str | None = None, chapter: int | None = None) -> Any:
        return counting.search_many([Query(query, k, character, chapter)])[0]

    assert made(counting) == made(one)


def test_without_chance_for_background_nothing_is_searched() -> None:
    counting = Counting()
    made(counting, background_share=0.0, interview_background_share=0.0)
    assert counting.calls == [[]]


def test_shown_background_was_found_or_is_made_up() -> None:
    train = made(Counting(), context_qa_share=0.0)["train"]
    shown = [s.text for row in train.passages for s in row.segments if s.text.startswith("【")]
    assert len(shown) > 20 and all(text.startswith("【关于") for text in shown)


def test_the_factor_of_protection_leaves_it_out() -> None:
    tasks = {row.task for row in made(protection=0.0)["train"].rows}
    assert tasks == {"scene", "question", "conversation"}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            replace(SOURCE, chapters={1: CHAPTERS[1]}),
            "1 chapters have lines to learn, a split needs 2",
        ),
        (
            replace(
                SOURCE, interviews=[Interview(id="i", character="郝婶", question="？", answer="。")]
            ),
            "none of the 1 interviews is with 闻筝 陆迟",
        ),
        (
            replace(SOURCE, chapters={n: [Line(kind="info", text="雨停了")] for n in (1, 2)}),
            "no usable row in the train part",
        ),
    ],
)
def test_what_cannot_be_built(source: Source, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        made(source=source)


def test_profiles_of_those_that_have_one() -> None:
    assert profiles_of(NAMES, PEOPLE) == {"闻筝": "修雨匠"}
    assert profiles_of(["陆迟"], PEOPLE) == {}


def test_mode_one_takes_one() -> None:
    check_mode("one", ["闻筝"])
    with pytest.raises(DatasetError, match=r"not 2 \(闻筝 陆迟\)"):
        check_mode("one", NAMES)
