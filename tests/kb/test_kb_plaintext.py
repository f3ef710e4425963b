"""Plain text: which lines are headings."""

import pytest

from kb.plaintext import read_plain_text
from kb.sections import Section, split_sections

LONG = "住在河边的灯匠，一年四季都围着灰蓝色的围巾。"


def sections(text: str) -> list[Section]:
    return [part for _, page in read_plain_text(text) for part in split_sections(page)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("一、露易丝", "二、才人"),
        ("1. 露易丝", "2. 才人"),
        ("◆露易丝", "◆才人"),
        ("（一）露易丝：", "（二）才人："),
    ],
)
def test_a_style_with_texts_under_it_is_one_of_headings(first: str, second: str) -> None:
    assert sections(f"{first}\n贵族。\n{second}\n平民。") == [
        (("露易丝",), "贵族。"),
        (("才人",), "平民。"),
    ]


def test_bare_lines_above_texts_are_headings() -> None:
    found = sections(f"一、人物\n\n露易丝\n{LONG}\n\n才人\n{LONG}")
    assert found == [(("人物", "露易丝"), LONG), (("人物", "才人"), LONG)]


def test_a_numbered_list_stays_a_list() -> None:
    assert sections("喜好：\n1. 灯\n2. 糕\n3. 茶\n他很好。") == [
        ((), "喜好：\n1. 灯\n2. 糕\n3. 茶\n他很好。")
    ]
