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
        ("曹操笑了。孙操笑了。操曰：“好。”" * 5, {"曹操": 5, "孙操": 5, "操": 9}),
    ],
)
def test_unsure_names_stay_apart(text: str, counts: dict[str, int]) -> None:
    assert [alias.name for alias in merge_aliases(text, counts)] == list(counts)


def test_a_given_name_that_speaks_alone_is_the_full_names() -> None:
    text = "曹操大笑。操曰：“好。”夏侯惇来。惇曰：“去。”" * 5
    counts = {"曹操": 5, "夏侯惇": 5, "操": 9}
    found = {alias.name: alias.aliases for alias in merge_aliases(text, counts)}
    assert found == {"曹操": ("操",), "夏侯惇": ("惇",)}


def test_a_husband_is_not_his_wife_and_a_priest_no_surname() -> None:
    text = "糜竺笑道：“好。”糜夫人曰：“去。”糜夫人曰：“去。”" * 5
    assert merge_aliases(text, {"糜竺": 5})[0].aliases == ()
    monkey = "祖师道：“好。”老祖师道：“好。”" * 5
    assert merge_aliases(monkey, {"祖师": 5})[0].aliases == ()


def test_the_table_is_plain_json() -> None:
    (alias,) = merge_aliases("柳姑娘笑了，她走了。" * 6, {"柳姑娘": 6})
    assert alias.to_json() == {"name": "柳姑娘", "aliases": (), "gender": "f", "evidence": ()}
