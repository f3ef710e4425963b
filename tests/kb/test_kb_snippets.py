"""Cutting entries into snippets, and their file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.errors import SnippetFileError
from kb.snippets import (
    PlotNote,
    cut_text,
    entries_to_snippets,
    make_snippet,
    read_snippets,
    write_snippets,
)
from kb.wiki import Entry

SENTENCE = "沈灯在河边点了一盏灯，看它慢慢漂远了。"


def entry(text: str, title: str = "沈灯", path: tuple[str, ...] = ()) -> Entry:
    return Entry(title=title, sections=((path, text),), source="沈灯.wiki", aliases=("小灯",))


def test_short_facts_are_grouped() -> None:
    assert cut_text("生日: 三月初三\n职业: 灯匠") == ["生日: 三月初三；职业: 灯匠"]


def test_pieces_end_at_sentences_and_have_the_size_of_a_snippet() -> None:
    pieces = cut_text(SENTENCE * 30)
    assert all(60 <= len(piece) <= 200 and piece.endswith("。") for piece in pieces)
    assert "".join(pieces) == SENTENCE * 30


def test_closing_quotes_stay_with_their_sentence() -> None:
    line = "她说：「走吧！」" + "然后头也不回地走进了雨里，谁也没有再看见她。" * 8
    assert cut_text(line)[0].startswith("她说：「走吧！」")


def test_a_sentence_of_up_to_300_characters_stays_whole() -> None:
    long = "长" * 280 + "。"
    assert long in cut_text(SENTENCE * 5 + long)


def test_a_longer_sentence_is_cut_at_its_commas() -> None:
    pieces = cut_text("一二三四五六七八九，" * 50)
    assert all(len(piece) <= 200 and piece.endswith("，") for piece in pieces)


def test_a_run_without_any_mark_is_cut_hard() -> None:
    assert all(len(piece) <= 300 for piece in cut_text("长" * 1000))


@given(st.text(alphabet="沈灯在河边，。！？「」…；a. \n", max_size=900))
def test_cutting_loses_no_character(text: str) -> None:
    def kept(parts: str) -> str:
        return "".join(parts.split()).replace("；", "")

    pieces = cut_text(text)
    assert kept("".join(pieces)) == kept(text)
    assert all(len(piece) <= 450 for piece in pieces)


def test_snippet_knows_its_page() -> None:
    [snippet] = entries_to_snippets([entry("最喜欢桂花糕。", path=("喜好", "吃的"))])
    assert (snippet.title, snippet.heading, snippet.source) == ("沈灯", "喜好 / 吃的", "沈灯.wiki")
    assert snippet.aliases == ("小灯",)


def test_display_puts_the_title_before_a_text_that_lacks_it() -> None:
    assert make_snippet("沈灯", "最喜欢桂花糕。").display == "沈灯：最喜欢桂花糕。"
    assert make_snippet("沈灯", "沈灯是灯匠。").display == "沈灯是灯匠。"


def test_exact_duplicates_are_removed_and_order_is_kept() -> None:
    snippets = entries_to_snippets(
        [entry("甲。"), entry("乙。"), entry("甲。"), entry("甲。", title="杜若")]
    )
    assert [snippet.display for snippet in snippets] == ["沈灯：甲。", "沈灯：乙。", "杜若：甲。"]


def test_short_sections_under_one_heading_are_joined() -> None:
    page = Entry(
        title="沈灯",
        sections=(((), "生日: 三月初三"), ((), "沈灯是灯匠。"), (("喜好",), "糕。")),
        source="x",
    )
    assert [snippet.text for snippet in entries_to_snippets([page])] == [
        "生日: 三月初三；沈灯是灯匠。",
        "糕。",
    ]


@pytest.mark.parametrize("opening", ["她", "他们", "它", "其父", "此人", "该镇"])
def test_a_pronoun_at_the_start_gets_the_title_in_front(opening: str) -> None:
    [snippet] = entries_to_snippets([entry(f"{opening}住在河边。")])
    assert snippet.text == snippet.display == f"沈灯：{opening}住在河边。"
    assert snippet.embedded == f"沈灯：{opening}住在河边。"


@pytest.mark.parametrize(
    "text", ["他人住在河边。", "其实住在河边。", "该死的雨。", "沈灯住在河边。"]
)
def test_other_openings_stay(text: str) -> None:
    assert entries_to_snippets([entry(text)])[0].text == text


LONG = "沈灯在吹烟镇的河边点了一盏灯，看它随水慢慢漂远，直到雨把最后一点光也浇灭，才撑着伞走回铺子里去。"


def note(text: str, chapter: int, *people: str) -> PlotNote:
    return PlotNote(text, "沈灯", chapter, people=people, source="summaries.jsonl")


def test_near_duplicates_of_one_title_are_left_out() -> None:
    again = LONG.replace("铺子里去", "铺子里")
    assert [snippet.text for snippet in entries_to_snippets([entry(LONG), entry(again)])] == [LONG]


@pytest.mark.parametrize(
    "other", [entry(LONG.replace("一盏", "三盏")), entry(LONG.replace("沈灯", "她"), title="杜若")]
)
def test_other_numbers_and_other_titles_are_no_duplicates(other: Entry) -> None:
    assert len(entries_to_snippets([entry(LONG), other])) == 2


def test_a_copy_on_another_page_that_names_its_subject_is_left_out() -> None:
    assert len(entries_to_snippets([entry(LONG), entry(LONG, title="人物表")])) == 1


def test_a_note_knows_its_chapter_and_people() -> None:
    [snippet] = entries_to_snippets([], [note("沈灯想修好漏雨。", 3, "沈灯", "杜若")])
    assert (snippet.chapter, snippet.people, snippet.source) == (
        3,
        ("沈灯", "杜若"),
        "summaries.jsonl",
    )
    assert entries_to_snippets([entry("甲。")])[0].chapter is None


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (note(LONG, 2, "沈灯", "杜若"), note(LONG + "了", 3, "沈灯"), 1),
        (note(LONG, 3, "沈灯"), note(LONG + "了", 2, "沈灯"), 2),
        (note(LONG, 2, "沈灯"), note(LONG + "了", 3, "杜若"), 2),
        (note(LONG, 2, "沈灯"), note(LONG + "了", 3), 2),
        (note(LONG, 2), note(LONG + "了", 2, "沈灯"), 1),
    ],
)
def test_a_repetition_goes_only_where_all_who_know_it_see_the_first(
    first: PlotNote, second: PlotNote, kept: int
) -> None:
    assert len(entries_to_snippets([], [first, second])) == kept


def test_the_plot_never_hides_what_the_wiki_says_at_any_time() -> None:
    [snippet] = entries_to_snippets([entry(LONG)], [note(LONG, 4, "沈灯")])
    assert (snippet.chapter, snippet.people) == (None, ())


def test_one_text_told_twice_is_known_from_the_first_chapter_to_the_people_of_both() -> None:
    [snippet] = entries_to_snippets([], [note("嗯。", 5, "沈灯"), note("嗯。", 0, "杜若")])
    assert (snippet.chapter, snippet.people) == (0, ("沈灯", "杜若"))


def test_id_follows_the_content_and_not_the_source() -> None:
    first = make_snippet("沈灯", "甲。", source="a.wiki")
    assert first.id == make_snippet("沈灯", "甲。", source="b.wiki").id
    assert first.id != make_snippet("沈灯", "乙。", source="a.wiki").id


@given(
    st.lists(
        st.builds(make_snippet, st.text(min_size=1), st.text(), heading=st.text(), source=st.text())
    )
)
def test_file_round_trip(tmp_path_factory: pytest.TempPathFactory, snippets: list) -> None:
    path = tmp_path_factory.getbasetemp() / "snippets.jsonl"
    write_snippets(path, snippets)
    assert read_snippets(path) == snippets


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_snippets(tmp_path / "snippets.jsonl", [make_snippet("沈灯", "甲。")])
    assert [file.name for file in tmp_path.iterdir()] == ["snippets.jsonl"]


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snippets.jsonl"
    path.write_text('{"format": "kb-snippets", "version": 0}\n', encoding="utf-8")
    with pytest.raises(
        SnippetFileError, match="not with kb-snippets version 2: build the knowledge base again"
    ):
        read_snippets(path)


def test_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "snippets.jsonl"
    write_snippets(path, [make_snippet("沈灯", "甲。")])
    path.write_text(path.read_text(encoding="utf-8") + '{"id": "x"\n', encoding="utf-8")
    with pytest.raises(SnippetFileError, match=r"line 3 of .*snippets\.jsonl"):
        read_snippets(path)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SnippetFileError, match="cannot read") as caught:
        read_snippets(tmp_path / "none.jsonl")
    assert "\n" not in str(caught.value)
