"""Names and speakers of English books, as they went wrong on novels of Jane Austen."""

from unittest.mock import ANY

import pytest

from roleplay.distill.rules.cast import discover_cast, find_people
from roleplay.distill.rules.cues import Names
from roleplay.distill.rules.english import find_minor_speakers, joined_forms

NOVEL = """"I am tired," said Mr. Garrow.

"So am I," replied Miss Garrow.

"Let us go," said Garrow. Lady Hale's voice was heard. Mr. Garrow nodded, and Miss Garrow rose.

"To Fernley!" cried Lady Hale. Fernley was far. She had lived in Fernley, and died at Fernley.

The Garrows had gone. "Neither Lady Hale nor he!" said Anna Reed. Miss Anna Reed smiled.
"""


def test_a_possessive_is_no_part_of_a_name() -> None:
    assert not [name for name in discover_cast(NOVEL * 3) if name.endswith(("'s", "’s"))]
    assert "Lady Hale" in discover_cast(NOVEL * 3)


def test_towns_families_and_the_words_before_a_name_are_nobody() -> None:
    found = discover_cast(NOVEL * 3)
    assert set(found) == {"Mr. Garrow", "Miss Garrow", "Garrow", "Lady Hale", "Anna Reed"} | {
        "Miss Anna Reed"
    }


def test_a_surname_alone_is_the_man_and_a_title_more_is_the_same_person() -> None:
    people = {one.name: one.aliases for one in find_people(NOVEL * 3)}
    assert people["Mr. Garrow"] == ("Garrow",) and people["Miss Garrow"] == ()
    assert people["Anna Reed"] == ("Miss Anna Reed",)


def test_contractions_and_kinds_of_a_thing_are_nobody() -> None:
    whales = "".join(f"The {kind} Whale swam near. " for kind in ("Sperm", "Right", "Blue", "Grey"))
    text = '"Yes," said Anna Reed. "I\'ve, no," said Tom Reed. ' * 3
    text += whales * 2 + "a whale, the whale, his whale, whale upon whale. " * 4
    text += "\"Oh, I'm, yes,\" said Joe Reed. I've looked. I'm looking. \"I've,\" I said.\n"
    assert set(discover_cast(text)) == {"Anna Reed", "Tom Reed", "Joe Reed"}


def test_a_surname_alone_is_whom_the_book_tells_of() -> None:
    counts = {"Captain Ahab": 9, "King Ahab": 1, "Ahab": 30}
    assert joined_forms(counts) == {"Captain Ahab": [("Ahab", ANY)]}
    assert joined_forms(counts | {"King Ahab": 8}) == {}


def test_mr_and_mrs_are_not_one_person() -> None:
    text = '"Yes," said Charles Hale. "No," said Mr Hale. "Oh," said Mrs Hale. ' * 3
    text += '"Ah," said Mrs Charles Hale.\n'
    assert joined_forms(discover_cast(text)) == {
        "Charles Hale": [("Mr Hale", ANY)],
        "Mrs Charles Hale": [("Mrs Hale", ANY)],
    }
    both = {"Charles Hale": 9, "Mr Hale": 2, "Mrs Hale": 2}
    assert joined_forms(both) == {"Charles Hale": []}
    assert [form for form, _ in joined_forms(both | {"Mr Charles Hale": 1})["Charles Hale"]] == [
        "Mr Charles Hale"
    ]


@pytest.mark.parametrize(
    ("cue", "names"),
    [
        ("said the porter.", {"porter": 1}),
        ("said his wife.", {}),
        ("cried her father.", {}),
        ("said the girls.", {}),
    ],
)
def test_a_role_is_one_person_in_the_whole_book(cue: str, names: dict[str, int]) -> None:
    assert dict(find_minor_speakers(f'"Yes," {cue}\n', Names({"Anna": ()}))) == names
