"""Numbered spans: they tile every chunk, and labels copy nothing but the novel."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from roleplay.distill.checks import verify_verbatim
from roleplay.distill.labels.spans import Label, Piece, lines_of, number_spans
from roleplay.distill.rules.script import distil_rules
from roleplay.novel.chapters import find_chapters
from roleplay.novel.chunking import chunk_chapters
from roleplay.novel.reading import read_novel
from roleplay.records import UNKNOWN, Chunk

TEXT = "第一章 雨\n闻筝说：“漏了。”她抬头。\n“哟。”\n"


def chunks_of(text: str, size: int = 1200) -> list[Chunk]:
    return chunk_chapters(text, find_chapters(text), max_chars=size)


def shown(text: str, pieces: list[Piece]) -> list[tuple[bool, str | None]]:
    return [(piece.quote, text[slice(*piece.core)] if piece.core else None) for piece in pieces]


def test_quotes_and_narration_are_numbered_in_order() -> None:
    (pieces,) = number_spans(TEXT, chunks_of(TEXT))
    assert shown(TEXT, pieces) == [
        (False, "第一章 雨"),
        (False, "闻筝说："),
        (True, "漏了。"),
        (False, "她抬头。"),
        (True, "哟。"),
        (False, None),
    ]


def test_the_rules_take_cues_and_headings_out_of_narration() -> None:
    chunks = chunks_of(TEXT)
    rules = distil_rules(TEXT, find_chapters(TEXT), chunks, {"闻筝": ()})
    (pieces,) = number_spans(TEXT, chunks, rules)
    assert [core for quote, core in shown(TEXT, pieces) if not quote] == [
        None,
        None,
        "她抬头。",
        None,
    ]


@given(st.text(alphabet="他说：，。“”「」\n ", max_size=80), st.integers(1, 20))
def test_spans_tile_any_chunk(text: str, size: int) -> None:
    chunks = chunks_of(text, size)
    for chunk, pieces in zip(chunks, number_spans(text, chunks), strict=True):
        assert "".join(text[slice(*piece.span)] for piece in pieces) == chunk.text
        assert [piece.number for piece in pieces] == list(range(1, len(pieces) + 1))


def test_the_example_novel_is_tiled_and_loses_no_quote() -> None:
    text = read_novel(Path("worlds/chuiyan/novel.txt")).text
    chunks = chunks_of(text)
    rules = distil_rules(text, find_chapters(text), chunks, {})
    pairs = list(zip(chunks, number_spans(text, chunks, rules), strict=True))
    assert all(
        "".join(text[slice(*p.span)] for p in pieces) == chunk.text for chunk, pieces in pairs
    )
    lines = [line for chunk, pieces in pairs for line in lines_of(text, chunk, pieces, {})]
    assert verify_verbatim(text, lines) == len(lines)
    assert [line.span for line in lines if line.kind != "info"] == [
        line.span for line in rules if line.kind != "info"
    ]


def test_a_quote_over_two_chunks_is_one_line() -> None:
    text = "他说：“一二三四五六七八九十。”"
    chunks = chunks_of(text, 9)
    lines = [
        line
        for c, p in zip(chunks, number_spans(text, chunks), strict=True)
        for line in lines_of(text, c, p, {})
    ]
    assert [line.text for line in lines] == ["他说：", "一二三四五六七八九十。"]


def test_a_label_names_the_speaker_and_nothing_else() -> None:
    chunks = chunks_of(TEXT)
    (pieces,) = number_spans(TEXT, chunks)
    labels = {3: Label(n=3, kind="say", speaker="闻筝", expression="微怒", confidence=0.9)}
    lines = lines_of(TEXT, chunks[0], pieces, labels)
    assert (lines[2].char, lines[2].text, lines[2].expression, lines[2].source) == (
        "闻筝",
        "漏了。",
        "微怒",
        "llm",
    )
    assert (lines[4].char, lines[4].reason, lines[4].confidence) == (
        UNKNOWN,
        "the model gave no label",
        0.0,
    )
    assert verify_verbatim(TEXT, lines) == 5


def test_a_quote_is_never_narration_and_an_act_needs_a_person() -> None:
    chunks = chunks_of(TEXT)
    (pieces,) = number_spans(TEXT, chunks)
    labels = {
        3: Label(n=3, kind="narration"),
        4: Label(n=4, kind="act", speaker="闻筝"),
        2: Label(n=2, kind="act"),
    }
    lines = lines_of(TEXT, chunks[0], pieces, labels)
    assert [line.kind for line in lines] == ["info", "info", "say", "act", "say"]
