"""MediaWiki markup: what a reader sees stays, the furniture goes."""

import pytest

from kb.wikitext import heading_line, markup_to_sections, split_sections


def text_of(markup: str) -> str:
    return "\n".join(text for _, text in markup_to_sections(markup, title="沈灯"))


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("[[吹烟镇|小镇]]的[[灯匠]]", "小镇的灯匠"),
        ("[[吹烟镇#地理]]", "吹烟镇"),
        ("'''沈灯'''和''杜若''", "沈灯和杜若"),
        ("她是{{黑幕|王女}}。", "她是王女。"),
        ("{{剧透|{{黑幕|死}}了}}", "死了"),
        ("{{lang|ja|灯}}", "灯"),
        ("{{ruby|漢字|かんじ}}", "漢字（かんじ）"),
        ("{{PAGENAME}}是人", "沈灯是人"),
        ("甲<ref>出处</ref>乙<!-- 改 -->", "甲乙"),
        ("甲<br>乙", "甲\n乙"),
        ("甲&nbsp;&lt;乙&gt;", "甲 <乙>"),
        ("-{zh-cn:软件;zh-tw:軟體}-", "软件"),
        ("<nowiki>[[原样]]</nowiki>", "[[原样]]"),
        ("[http://example.org 官网]", "官网"),
        ("__NOTOC__甲", "甲"),
    ],
)
def test_inline_markup(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    "markup",
    [
        "[[Category:人物]]",
        "[[分类:人物]]",
        "[[File:灯.jpg|thumb|一盏[[灯]]]]",
        "[[ja:灯]]",
        "<gallery>\n灯.jpg|灯\n</gallery>",
        "{{reflist}}",
        "{{main|灯会}}",
    ],
)
def test_furniture_leaves_nothing(markup: str) -> None:
    assert markup_to_sections(markup, title="沈灯") == []


def test_infobox_parameters_become_facts_in_their_own_section() -> None:
    markup = "{{人物信息\n|姓名=沈灯\n|图片=灯.png\n|生日={{黑幕|三月初三}}\n|喜好=\n* [[桂花糕]]\n* 茶\n}}\n"
    markup += "沈灯是灯匠。"
    assert markup_to_sections(markup, title="沈灯") == [
        ((), "姓名: 沈灯\n生日: 三月初三\n喜好: 桂花糕、茶"),
        ((), "沈灯是灯匠。"),
    ]


def test_headings_give_a_path() -> None:
    markup = "甲\n== 经历 ==\n乙\n=== 少年 ===\n丙\n== 喜好 ==\n丁"
    assert markup_to_sections(markup, title="沈灯") == [
        ((), "甲"),
        (("经历",), "乙"),
        (("经历", "少年"), "丙"),
        (("喜好",), "丁"),
    ]


def test_table_rows_carry_their_headers() -> None:
    table = '{| class="wikitable"\n! 雨 !! 价格\n|-\n| 晨醒 || 三枚\n|-\n| 半糖 || 五枚\n|}'
    assert text_of(table) == "雨: 晨醒，价格: 三枚\n雨: 半糖，价格: 五枚"


def test_table_with_caption_and_rowspan() -> None:
    table = "{|\n|+ 价目\n! 雨 !! 价格\n|-\n| 晨醒 || rowspan=2 | 三枚\n|-\n| 半糖\n|}"
    assert text_of(table) == "价目\n雨: 晨醒，价格: 三枚\n雨: 半糖，价格: 三枚"


def test_table_row_with_a_header_cell_only() -> None:
    assert text_of("{|\n! 生日\n| 三月初三\n|-\n! 身高\n| 一米六\n|}") == "生日: 三月初三\n身高: 一米六"


def test_lists_and_definitions_are_lines() -> None:
    assert text_of("* 甲\n** 乙\n# 丙\n; 丁 : 戊") == "甲\n乙\n丙\n丁: 戊"


def test_unclosed_markup_stays_as_text() -> None:
    assert "沈灯" in text_of("{{人物信息|姓名=沈灯\n[[沈灯")


def test_split_sections_drops_blank_lines_and_outer_blanks() -> None:
    assert split_sections("  甲　　乙 \n\n" + heading_line(2, " 丙 ") + "丁\n") == [
        ((), "甲 乙"),
        (("丙",), "丁"),
    ]
