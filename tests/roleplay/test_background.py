"""Many searches at once: by the retriever's own method where it has one, else one by one."""

from __future__ import annotations

from collections.abc import Sequence

from roleplay.background import Query, Snippet, search_many

QUERIES = [Query("钟", 2), Query("雨", 1, "闻筝", 4)]


def retriever(
    query: str, k: int, *, character: str | None = None, chapter: int | None = None
) -> list[Snippet]:
    return [Snippet(f"{query} {character} {chapter}")] * k


class Many:
    def __call__(
        self, query: str, k: int, *, character: str | None = None, chapter: int | None = None
    ) -> list[Snippet]:
        raise AssertionError("one by one")

    def search_many(self, queries: Sequence[Query]) -> list[list[Snippet]]:
        return [retriever(one.text, one.k) for one in queries]


def test_a_plain_retriever_is_called_for_each() -> None:
    found = search_many(retriever, QUERIES)
    assert [[one.text for one in part] for part in found] == [["钟 None None"] * 2, ["雨 闻筝 4"]]


def test_a_method_of_its_own_gets_all_at_once() -> None:
    assert [len(part) for part in search_many(Many(), QUERIES)] == [2, 1]


def test_nothing_is_searched_for_nothing() -> None:
    assert search_many(retriever, []) == []


def test_queries_are_told_apart_by_all_that_they_ask() -> None:
    assert len({*QUERIES, Query("雨", 1, "闻筝", 5), Query("雨", 1, "闻筝"), Query("钟", 2)}) == 4
