"""Names: one script for all, found whole, the longest first."""

import pytest

from kb.names import NameFinder, Names, normalise, simplified


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("燈匠沈燈說著話", "灯匠沈灯说着话"),
        ("乾坤與後裏", "干坤与后里"),
        ("妳的暱稱", "你的昵称"),
        ("沈灯", "沈灯"),
        ("Anna", "Anna"),
    ],
)
def test_traditional_characters_become_simplified_one_for_one(text: str, told: str) -> None:
    assert simplified(text) == told and len(told) == len(text)


def test_names_are_compared_in_one_script_width_and_case() -> None:
    assert normalise("ＡＢ\n１　燈") == "ab 1 灯"


def test_a_name_is_found_in_either_script() -> None:
    names = Names([("蘇燕回", ["小蘇大夫"])])
    assert names.found_in("苏燕回和小苏大夫") == ["苏燕回", "小苏大夫"]
    assert names.of_one("小苏大夫") == names.of_one("蘇燕回") == {"苏燕回", "小苏大夫"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("沈砚秋来了", ["沈砚秋"]),
        ("沈砚和沈砚秋", ["沈砚", "沈砚秋"]),
        ("anna met ann", ["ann"]),
        ("x-9型飞艇", ["x-9"]),
        ("沈", []),
    ],
)
def test_the_longest_name_is_found_and_a_latin_one_whole(text: str, found: list[str]) -> None:
    finder = NameFinder(["沈砚", "沈砚秋", "ann", "x-9", "沈"])
    assert [name for _, name in finder.find(text)] == found


def test_an_alias_leads_to_its_title() -> None:
    names = Names([("沈灯", ["小灯"]), ("杜若", [])])
    assert names.titles_missing_from("小灯和杜若") == ["沈灯"]
    assert names.titles_missing_from("沈灯和小灯") == []
