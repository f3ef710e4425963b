"""Card files: what is read, what is refused, and that nothing of a stranger's card is lost."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
import shapes
from hypothesis import given
from hypothesis import strategies as st

from roleplay.cards import png
from roleplay.cards.card import Card, parse_card
from roleplay.cards.documents import read_json, write_json
from roleplay.cards.formats import KINDS, NOTE, main_icon, read_card, write_card
from roleplay.errors import CardError

SHORT = [shape for shape in shapes.READ if not shape.startswith("10,000")]


def written(card: Card, kind: Any) -> bytes:
    return write_card(card, kind, picture=card.picture or shapes.PICTURE)


@pytest.mark.parametrize("shape", shapes.READ)
@pytest.mark.parametrize("kind", KINDS)
def test_write_read_write_gives_the_same_bytes(shape: str, kind: Any) -> None:
    first = written(read_card(shapes.READ[shape]), kind)
    assert written(read_card(first), kind) == first


@pytest.mark.parametrize("shape", shapes.REFUSED)
def test_what_is_no_card_is_refused_in_one_line(shape: str) -> None:
    data, told = shapes.REFUSED[shape]
    with pytest.raises(CardError, match=told) as caught:
        read_card(data)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    assert caught.value.text("zh") != str(caught.value)


@pytest.mark.parametrize("shape", SHORT)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_card_becomes_every_version(shape: str, version: Any) -> None:
    card = read_card(shapes.READ[shape])
    made = parse_card(read_json(write_json(card.as_version(version).document())))
    assert made.version == version
    assert made.text("name") == card.text("name")


def is_second(data: dict[str, Any]) -> bool:
    """SillyTavern's validator: fourteen fields, types of four, a book with its two."""
    required = {*shapes.SECOND}
    book = data.get("character_book")
    whole = book is None or (
        isinstance(book["extensions"], dict) and isinstance(book["entries"], list)
    )
    lists = isinstance(data["alternate_greetings"], list) and isinstance(data["tags"], list)
    return required <= data.keys() and lists and isinstance(data["extensions"], dict) and whole


def is_third(data: dict[str, Any]) -> bool:
    """What version 3 demands besides: of greetings, of entries, of assets."""
    fields = {"keys", "content", "extensions", "enabled", "insertion_order", "use_regex"}
    entries = data.get("character_book", {"entries": []})["entries"]
    icons = [one for one in data.get("assets", []) if one["type"] == "icon"]
    mains = [one for one in icons if one["name"] == "main"]
    return (
        isinstance(data["group_only_greetings"], list)
        and all(
            fields <= entry.keys() and isinstance(entry["use_regex"], bool) for entry in entries
        )
        and all({"type", "uri", "name", "ext"} <= one.keys() for one in data.get("assets", []))
        and (len(icons) < 2 or len(mains) == 1)
    )


@pytest.mark.parametrize("shape", SHORT)
def test_what_is_written_passes_the_validators(shape: str) -> None:
    card = read_card(shapes.READ[shape])
    second, third = (card.as_version(version).document() for version in (2, 3))  # type: ignore[arg-type]
    assert (second["spec"], second["spec_version"]) == ("chara_card_v2", "2.0")
    assert (third["spec"], third["spec_version"]) == ("chara_card_v3", "3.0")
    assert is_second(second["data"]) and is_second(third["data"]) and is_third(third["data"])


def test_unknown_fields_survive_everywhere() -> None:
    document = shapes.second(character_book=shapes.BOOK, mine={"a": [1, None]}) | {"beside": "x"}
    card = read_card(written(read_card(shapes.dumped(document)), "png"))
    made = card.document()
    assert (made["beside"], made["data"]["mine"]) == ("x", {"a": [1, None]})
    assert made["data"]["extensions"] == shapes.SECOND["extensions"]
    entry, old = made["data"]["character_book"]["entries"][0], shapes.ENTRY
    assert entry | {"extensions": old["extensions"]} == old
    assert entry["extensions"] == old["extensions"] | {"match_whole_words": False}
    assert made["data"]["character_book"]["extensions"] == {"my/book": 1}


def test_wrong_types_are_read_as_what_they_mean() -> None:
    card = read_card(shapes.READ["V2 with wrong types"])
    assert card.data["name"] == "7" and card.data["tags"] == ["雨", "伞"]
    assert card.data["alternate_greetings"] == [] and card.data["extensions"] == {}
    assert card.book is None


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    assert read_card(shapes.READ["V2 with a key twice"]).version == 2


def test_the_newer_chunk_counts_and_the_older_is_made_of_it() -> None:
    card = read_card(shapes.READ["PNG with both chunks"])
    assert (card.version, card.text("name")) == (3, "闻筝")
    texts, picture = png.split_png(written(card, "png"))
    assert picture == shapes.PICTURE and list(texts) == ["chara", "ccv3"]
    older = json.loads(base64.b64decode(texts["chara"]))
    assert older["spec"] == "chara_card_v2" and NOTE in older["data"]["creator_notes"]
    assert NOTE not in json.loads(base64.b64decode(texts["ccv3"]))["data"]["creator_notes"]


def test_decorators_are_not_shown_to_version_2() -> None:
    card = read_card(shapes.READ["V3 with decorators"])
    assert card.book and card.book["entries"][0]["content"] == shapes.DECORATED
    older = card.as_version(2).book
    assert older and older["entries"][0]["content"] == "她在雨里。"


def test_a_later_version_is_read_with_a_notice() -> None:
    card = read_card(shapes.READ["V3 of later"])
    assert [notice.key for notice in card.notices] == ["cards.newer"]
    assert card.text("nickname") == "小筝" and card.document()["new"] == {"a": 1}


def test_fields_repeated_outside_are_kept_true() -> None:
    card = read_card(shapes.READ["V2 with the fields of V1 outside"])
    assert card.text("name") == "闻筝" and card.document()["name"] == "闻筝"
    assert card.document()["fav"] is False


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_go_from_form_to_form(kind: Any) -> None:
    card = read_card(shapes.READ["CHARX with assets"])
    made = read_card(written(card, kind))
    assert main_icon(made) == shapes.PICTURE
    assert [asset["name"] for asset in made.data["assets"]] == ["main", "joy"]


def test_the_picture_of_a_png_is_the_icon_of_a_charx() -> None:
    made = read_card(written(read_card(shapes.READ["PNG with assets"]), "charx"))
    assert main_icon(made) == shapes.PICTURE and made.picture is None
    assert len([asset for asset in made.data["assets"] if asset["name"] == "main"]) == 1


def test_a_picture_that_breaks_off_is_no_picture() -> None:
    card = read_card(shapes.READ["V2 in a PNG that breaks off"])
    assert card.picture is None and card.text("name") == "闻筝"
    with pytest.raises(CardError, match="needs a whole PNG"):
        write_card(card, "png")


def test_a_wrong_checksum_does_not_hide_a_card() -> None:
    data = shapes.READ["V1 in a PNG"]
    assert read_card(data[:-16] + b"\0\0\0\0" + data[-12:]).text("name") == "闻筝"


def test_other_texts_of_a_picture_stay() -> None:
    software = shapes.text_chunk("Software", b"mine")
    card = read_card(
        shapes.png(software, shapes.text_chunk("chara", shapes.encoded(shapes.second())))
    )
    assert software in written(card, "png")


def test_no_clock_shows_in_a_zip() -> None:
    data = written(read_card(shapes.READ["CHARX with assets"]), "charx")
    assert re.search(rb"PK\x03\x04.{6}\x00\x00\x21\x00", data, re.S)


text = st.text(max_size=20)
json_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
entries = st.fixed_dictionaries(
    {"keys": st.lists(text, max_size=3), "content": text},
    optional={
        "id": json_value,
        "enabled": st.booleans(),
        "extensions": st.dictionaries(text, json_value),
        "x": json_value,
    },
)


@given(
    fields=st.fixed_dictionaries(dict.fromkeys(shapes.FIELDS, text)),
    more=st.dictionaries(text, json_value, max_size=3),
    book=st.none() | st.fixed_dictionaries({"entries": st.lists(entries, max_size=3)}),
    version=st.sampled_from([1, 2, 3]),
)
def test_any_card_comes_back(fields: Any, more: Any, book: Any, version: Any) -> None:
    document = shapes.second(**fields, character_book=book)
    card = parse_card(more | document).as_version(version)
    for kind in ("json", "png"):
        first = write_card(card, kind, picture=shapes.PICTURE)  # type: ignore[arg-type]
        again = read_card(first)
        assert write_card(again, kind) == first if kind == "png" else written(again, kind) == first
        assert again.data.items() >= fields.items()
