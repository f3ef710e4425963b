"""Names of one person are merged with evidence, unsure ones never."""

from __future__ import annotations

import pytest

from roleplay.distill.rules.aliases import merge_aliases

TEXT = "孙小北走进来。小北说：“走吧。”他笑了。\n" * 5


def test_a_full_name_and_its_tail_are_one_person() -> None:
    (alias,) = merge_aliases(TEXT, {"孙小北": 5, "小北": 9})
    assert (alias.name, alias.aliases) == ("小北", ("孙小北",))
    assert alias.evidence == (
        "孙小北 ends with 小北, no other name does, and 5 times both stand within 600 characters",
    )


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (TEXT, {"孙小北": 5, "李小北": 5, "小北": 9}),
        (TEXT + "孙小北对小北说。", {"孙小北": 5, "小北": 9}),
        ("孙小北走了。" + "雨" * 700 + "小北来了。", {"孙小北": 5, "小北": 9}),
        ("白大王道：“好。”大王笑了。" * 5, {"白大王": 5, "大王": 9}),
        ("悟空道：“好。”行者笑了。" * 5, {"悟空": 5, "行者": 9}),
        ("曹操笑了。操曰：“好。”" * 5, {"曹操": 5, "操": 9}),
    ],
)
def test_unsure_names_stay_apart(text: str, counts: dict[str, int]) -> None:
    assert [alias.name for alias in merge_aliases(text, counts)] == list(counts)


def test_the_table_is_plain_json() -> None:
    (alias,) = merge_aliases("柳姑娘笑了，她走了。" * 6, {"柳姑娘": 6})
    assert alias.to_json() == {"name": "柳姑娘", "aliases": (), "gender": "f", "evidence": ()}
