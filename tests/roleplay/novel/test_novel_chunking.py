"""Chunks tile the text and end where a reader would pause."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.errors import FormError
from roleplay.novel.chapters import find_chapters
from roleplay.novel.chunking import chunk_chapters
from roleplay.novel.reading import read_novel
from roleplay.records import Chapter, Chunk
from tests.roleplay.novel.books import book


def chunked(text: str, max_chars: int) -> list[Chunk]:
    return chunk_chapters(text, find_chapters(text), max_chars=max_chars)


def test_cut_at_a_paragraphs_end() -> None:
    assert [c.text for c in chunked("雨下了。\n雨停了。\n天晴。\n", 10)] == [
        "雨下了。\n雨停了。\n",
        "天晴。\n",
    ]


def test_a_long_paragraph_is_cut_at_a_sentences_end() -> None:
    assert [c.text for c in chunked("雨下了！“停了。”天晴", 9)] == ["雨下了！“停了。”", "天晴"]


def test_without_any_end_it_is_cut_hard() -> None:
    assert [c.text for c in chunked("雨" * 7, 3)] == ["雨雨雨", "雨雨雨", "雨"]


def test_no_chunk_crosses_a_chapters_end() -> None:
    found = chunked("第一章 雨\n下了。\n第二章 晴\n停了。\n", 100)
    assert [(c.id, c.chapter, c.span) for c in found] == [(0, 1, (0, 10)), (1, 2, (10, 20))]


def test_a_limit_under_one_is_refused() -> None:
    with pytest.raises(FormError, match="at least 1 character, not 0"):
        chunked("雨", 0)


@given(st.text(alphabet="雨第一章 \n　。”“：a", max_size=300), st.integers(1, 50))
def test_chunks_tile_any_text(text: str, max_chars: int) -> None:
    found = chunked(text, max_chars)
    assert "".join(chunk.text for chunk in found) == text
    assert all(chunk.text == text[slice(*chunk.span)] for chunk in found)
    assert all(0 < len(chunk.text) <= max_chars for chunk in found)
    assert [chunk.id for chunk in found] == list(range(len(found)))


def test_a_text_of_one_line_takes_linear_time() -> None:
    start = time.perf_counter()
    whole = Chapter(index=1, title="雨", span=(0, 5_000_000))
    assert len(chunk_chapters("雨" * 5_000_000, [whole], max_chars=1200)) == 4167
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("name", ["xiyouji.utf8.txt", "sanguo.gb18030.txt"])
def test_chunks_tile_a_whole_book(name: str) -> None:
    text = read_novel(book(name)).text
    assert "".join(chunk.text for chunk in chunked(text, 1200)) == text
