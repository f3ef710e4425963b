"""Lorebooks: World Info and character_book one to the other, and entries as wiki pages."""

from __future__ import annotations

from typing import Any

import pytest
import shapes
from hypothesis import given
from hypothesis import strategies as st
from test_formats import entries, json_value, text

from roleplay.cards.documents import read_json, write_json
from roleplay.cards.lorebook import (
    book_v2,
    is_regex,
    read_book,
    read_lorebook,
    write_lorebook,
    write_world_info,
)
from roleplay.cards.pages import Page, edited, entry_of, file_name, named, pages_of
from roleplay.errors import CardError

NATIVE: dict[str, Any] = {
    "name": "滴答铺",
    "mine": [1],
    "entries": {
        "3": {
            "uid": 3,
            "key": ["闻笛", "/笛.?子/i"],
            "keysecondary": ["母亲"],
            "comment": "闻笛",
            "content": "闻笛是母亲。",
            "order": 12,
            "disable": False,
            "position": 4,
            "depth": 2,
            "selectiveLogic": 3,
            "probability": 60,
            "characterFilter": {"isExclude": False, "names": ["闻筝"], "tags": []},
            "tomorrow": {"new": True},
        },
        "9": {"uid": 9, "key": ["off"], "content": "hidden", "disable": True, "sticky": 5},
    },
}
WORLD_INFO_FIELDS = {
    "uid", "key", "keysecondary", "comment", "content", "constant", "vectorized", "selective",
    "selectiveLogic", "addMemo", "order", "position", "disable", "excludeRecursion",
    "preventRecursion", "delayUntilRecursion", "probability", "useProbability", "depth", "role",
    "group", "groupOverride", "groupWeight", "scanDepth", "caseSensitive", "matchWholeWords",
    "useGroupScoring", "automationId", "sticky", "cooldown", "delay", "displayIndex",
    "ignoreBudget", "triggers", "matchPersonaDescription", "matchCharacterDescription",
    "matchCharacterPersonality", "matchCharacterDepthPrompt", "matchScenario", "matchCreatorNotes",
}  # fmt: skip


def world_info(document: Any) -> Any:
    return read_json(write_json(write_world_info(read_lorebook(document))))


def test_world_info_becomes_a_book_with_its_fields_in_extensions() -> None:
    first, second = read_lorebook(NATIVE)["entries"]
    assert first["keys"] == ["闻笛", "/笛.?子/i"] and first["secondary_keys"] == ["母亲"]
    assert (first["id"], first["insertion_order"], first["enabled"]) == (3, 12, True)
    assert first["position"] == "after_char" and first["extensions"]["position"] == 4
    assert first["extensions"]["selectiveLogic"] == 3 and first["extensions"]["depth"] == 2
    assert second["enabled"] is False and second["extensions"]["sticky"] == 5


def test_unknown_fields_of_world_info_survive() -> None:
    made = world_info(NATIVE)
    assert made["mine"] == [1] and "originalData" not in made
    for uid, entry in NATIVE["entries"].items():
        assert entry.items() <= made["entries"][uid].items()
        assert made["entries"][uid].keys() >= WORLD_INFO_FIELDS


def test_world_info_written_read_and_written_is_the_same() -> None:
    first = write_world_info(read_lorebook(NATIVE))
    assert write_json(write_world_info(read_lorebook(first))) == write_json(first)


def test_chinese_keys_are_found_inside_of_text() -> None:
    made = world_info(NATIVE)["entries"]
    assert made["3"]["matchWholeWords"] is False and made["9"]["matchWholeWords"] is None


def test_a_book_comes_back_from_world_info_whole() -> None:
    book = read_book(shapes.BOOK, "")
    made = world_info(book)
    assert made["originalData"]["scan_depth"] == 3
    back = read_lorebook(made)
    assert back["entries"][0]["mood"] == "unknown to all" and back["scan_depth"] == 3
    assert book_v2(back) == book_v2(book)


def test_what_was_edited_in_world_info_counts() -> None:
    made = world_info(shapes.BOOK)
    entry = made["entries"]["0"]
    entry |= {"content": "换了。", "order": 50, "depth": 9}
    back = read_lorebook(made)["entries"][0]
    assert (back["content"], back["insertion_order"], back["extensions"]["depth"]) == (
        "换了。",
        50,
        9,
    )
    assert back["mood"] == "unknown to all" and back["extensions"]["other/tool"]


def test_entries_removed_and_added_in_world_info_count() -> None:
    made = world_info({**shapes.BOOK, "entries": shapes.entries(3)})
    del made["entries"]["1"]
    made["entries"]["7"] = {"uid": 7, "key": ["新"], "content": "新的"}
    names = [entry["keys"] for entry in read_lorebook(made)["entries"]]
    assert names == [["词0"], ["词2"], ["新"]]


def test_a_lorebook_of_version_3_stands_alone() -> None:
    document = write_lorebook(read_book(shapes.BOOK, ""))
    assert document["spec"] == "lorebook_v3"
    assert document["data"]["entries"][0]["use_regex"] is False
    assert write_lorebook(read_lorebook(document)) == document


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "no entries"),
        ({"spec": "lorebook_v3"}, None),
        ({"entries": {}, "lorebookVersion": 5}, "a lorebook of NovelAI"),
        ({"entries": {}, "kind": "memory"}, "a lorebook of Agnai"),
        ({"entries": 5}, "entries: '5' is no list"),
        ({"entries": [1]}, "entries.0: '1' is no object"),
        ({"entries": {"0": {"key": 5, "content": []}}}, "content: '.*' is no text"),
        (
            {"entries": [{"keys": [], "content": "", "insertion_order": "x"}]},
            "order: 'x' is no number",
        ),
        (
            {"entries": [{"keys": [], "content": "", "enabled": "perhaps"}]},
            "neither true nor false",
        ),
        (
            {"entries": {}, "originalData": {"entries": [5]}},
            "originalData.entries.0: '5' is no object",
        ),
    ],
)
def test_what_is_no_lorebook_is_refused(document: Any, told: str | None) -> None:
    if told is None:
        assert read_lorebook(document)["entries"] == []
        return
    with pytest.raises(CardError, match=told):
        read_lorebook(document)


@given(st.lists(entries, max_size=4), st.dictionaries(text, json_value, max_size=2))
def test_any_book_comes_back_from_world_info(found: Any, more: Any) -> None:
    book = read_book({**more, "entries": found, "extensions": {}}, "")
    first = write_world_info(book)
    back = read_lorebook(read_json(write_json(first)))
    assert book_v2(back) == book_v2(book)
    assert write_json(write_world_info(back)) == write_json(first)


@pytest.mark.parametrize(
    ("key", "wanted"), [("/a+/i", True), ("/a/b/", True), ("a/b", False), ("//", False)]
)
def test_a_key_between_slashes_is_an_expression(key: str, wanted: bool) -> None:
    assert is_regex(key) == wanted


def pages(*found: Any) -> list[Page]:
    return pages_of(read_book({"entries": list(found)}, ""), char="闻筝", user="你")


def test_an_entry_is_a_page_with_its_keys_as_other_names() -> None:
    (page,) = pages(shapes.ENTRY)
    assert page == Page("闻笛", ("笛子🎶",), "闻笛是闻筝的母亲。")
    assert page.markdown == "# 闻笛\n\n别名：笛子🎶\n\n闻笛是闻筝的母亲。\n"
    assert Page.parse(page.markdown) == page


@pytest.mark.parametrize(
    ("more", "title", "aliases"),
    [
        ({"name": "", "comment": "备注"}, "闻笛", ("笛子🎶",)),
        ({"keys": [], "name": "", "comment": "备注"}, "备注", ()),
        ({"keys": [], "name": "", "comment": ""}, "1", ()),
        ({"keys": ["/x/", "笛"], "name": ""}, "笛", ()),
        ({"content": shapes.DECORATED}, "闻笛", ("笛子🎶", "阿笛")),
    ],
)
def test_titles_and_names_of_pages(more: Any, title: str, aliases: tuple[str, ...]) -> None:
    (page,) = pages(shapes.ENTRY | more)
    assert (page.title, page.aliases) == (title, aliases)


@pytest.mark.parametrize(
    "more", [{"enabled": False}, {"content": " "}, {"content": "@@dont_activate\nx"}]
)
def test_what_is_off_has_no_page(more: Any) -> None:
    assert pages(shapes.ENTRY | more) == []


def test_entries_of_one_title_share_a_page() -> None:
    (page,) = pages(
        shapes.ENTRY, shapes.ENTRY | {"keys": ["闻笛", "笛娘"], "content": "她在雨里。"}
    )
    assert page.aliases == ("笛子🎶", "笛娘") and page.text.endswith("母亲。\n\n她在雨里。")


def test_headings_in_an_entry_begin_no_page() -> None:
    text = Page("甲", (), "# 一\n## 二\n标题\n===\n文").markdown
    assert text == "# 甲\n\n## 一\n### 二\n标题\n\n文\n"


def test_a_page_becomes_an_entry_with_its_names_as_keys() -> None:
    entry = entry_of(Page("闻笛", ("笛娘",), "她。"), 40)
    assert (entry["keys"], entry["content"], entry["insertion_order"]) == (
        ["闻笛", "笛娘"],
        "她。",
        40,
    )


def files_of(book: Any) -> dict[str, str]:
    return {name: page.markdown for name, page in named(pages_of(book, char="a", user="b"))}


def test_pages_as_they_were_give_the_book_as_it_was() -> None:
    off = {**shapes.ENTRY, "enabled": False}
    book = read_book({**shapes.BOOK, "entries": [shapes.ENTRY, off, *shapes.entries(3)]}, "")
    assert edited(book, files_of(book), char="a", user="b") == book


def test_an_edited_page_changes_its_entry_alone() -> None:
    book = read_book({"entries": shapes.entries(3)}, "")
    found = files_of(book) | {
        "词1.md": "# 词1\n\n别名：新名\n\n换了。\n",
        "新页.md": "# 新页\n\n新的。\n",
    }
    del found["词2.md"]
    first, second, third = edited(book, found, char="a", user="b")["entries"]
    assert first == book["entries"][0]
    assert (second["keys"], second["content"], second["mood"]) == (
        ["词1", "新名"],
        "换了。",
        "unknown to all",
    )
    assert (third["keys"], third["content"]) == (["新页"], "新的。")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a/b\\c:d", "a_b_c_d"),
        ("../x", "_x"),
        ("", "_"),
        ("CON", "_CON"),
        (".", "_"),
        ("a\nb", "a_b"),
        ("雨" * 90, "雨" * 60),
        ("😀" * 60, "😀" * 50),
    ],
)
def test_a_page_has_a_name_that_every_system_takes(name: str, wanted: str) -> None:
    assert file_name(name) == wanted


def test_pages_that_would_share_a_file_do_not() -> None:
    found = named(
        [Page("A", (), "x"), Page("a", (), "y"), Page("a?", (), "z"), Page("a_", (), "z")]
    )
    assert [name for name, _ in found] == ["A.md", "a_2.md", "a_.md", "a__2.md"]


def test_the_knowledge_base_reads_what_is_written(tmp_path: Any) -> None:
    from kb.wiki import iter_wiki

    for name, page in named(pages(shapes.ENTRY, shapes.ENTRY | {"name": "", "keys": ["修雨匠"]})):
        (tmp_path / name).write_text(page.markdown, encoding="utf-8")
    found = {entry.title: entry for entry in iter_wiki(tmp_path)}
    assert found.keys() == {"闻笛", "修雨匠"}
    assert "笛子🎶" in found["闻笛"].aliases
    assert "母亲" in found["闻笛"].sections[-1][1]
