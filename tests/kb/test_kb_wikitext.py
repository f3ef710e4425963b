"""MediaWiki markup: what a reader sees stays, the furniture goes."""

import pytest

from kb.sections import Section, heading_line, split_sections
from kb.wikitext import render_markup


def sections_of(markup: str) -> list[Section]:
    return split_sections(render_markup(markup, title="沈灯"))


def text_of(markup: str) -> str:
    return "\n".join(text for _, text in sections_of(markup))


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
        ("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>", "漢字（かんじ）"),
        ("{{heimu|她是王女|你知道的太多了}}", "她是王女"),
        ("{{Hide|点开|里面的字}}", "点开\n里面的字"),
        ("{{quote|雨停了。|作者=沈灯}}", "雨停了。"),
        ("{{#if: 有 | 甲 | 乙 }}", "甲"),
        ("[[Re:第一夜]]", "Re:第一夜"),
        ("-{H|zh-cn:灯;zh-tw:燈}-甲", "甲"),
        ("<tabber>一年级=学徒|-|二年级=灯匠</tabber>", "一年级=学徒\n二年级=灯匠"),
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
    assert sections_of(markup) == []


def test_infobox_parameters_become_facts_in_their_own_section() -> None:
    markup = "{{人物信息\n|姓名=沈灯\n|图片=灯.png\n|生日={{黑幕|三月初三}}\n|喜好=\n* [[桂花糕]]\n* 茶\n}}\n"
    markup += "沈灯是灯匠。"
    assert sections_of(markup) == [
        ((), "姓名: 沈灯\n生日: 三月初三\n喜好: 桂花糕、茶"),
        ((), "沈灯是灯匠。"),
    ]


def test_headings_give_a_path() -> None:
    markup = "甲\n== 经历 ==\n乙\n=== 少年 ===\n丙\n== 喜好 ==\n丁"
    assert sections_of(markup) == [
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
    assert (
        text_of("{|\n! 生日\n| 三月初三\n|-\n! 身高\n| 一米六\n|}")
        == "生日: 三月初三\n身高: 一米六"
    )


def test_lists_and_definitions_are_lines() -> None:
    assert text_of("* 甲\n** 乙\n# 丙\n; 丁 : 戊") == "甲\n乙\n丙\n丁: 戊"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (
            "{{人物信息|本名=沈灯|职业=<li>灯匠<li>更夫|生日=三月}}",
            "本名: 沈灯\n职业: 灯匠、更夫\n生日: 三月",
        ),
        ("{{人物信息|职业=<ul><li>灯匠</li><li>更夫</li></ul>}}", "职业: 灯匠、更夫"),
        (
            "{{Infobox|title=沈灯|label1=本名|data1=沈灯|label2=别号|data2=灯叔}}",
            "本名: 沈灯\n别号: 灯叔",
        ),
        ("{{資訊框|標籤1=生日|內容1=三月|標籤2=空|內容2=}}", "生日: 三月"),
        (
            "{{Infobox|header1=亲属|data2=[[阿沅]]（徒弟）|label3=年|data3=三}}",
            "亲属: 阿沅（徒弟）\n年: 三",
        ),
        ("{{人物信息|{{行|标签=本名|内容=沈灯}}{{行|标签=年|内容=三}}}}", "本名: 沈灯\n年: 三"),
        ("{{人物信息|姓名=沈灯|外貌=|图=|底色=red}}", "姓名: 沈灯"),
        (
            "{{人物信息|表={{{!}}\n! 年 !! 事\n{{!}}-\n{{!}} 三 {{!}}{{!}} 灯会\n{{!}}}}}",
            "表: 年: 三，事: 灯会",
        ),
        ("{{折叠|题|\n{|\n! 年 !! 事\n|-\n| 三 ||\n|-\n| || 灯会\n|}\n}}", "题\n年: 三\n事: 灯会"),
        ("{{人物信息|友={{人物信息|友={{人物信息|名=灯}}}}}}", "友: 友: 名: 灯"),
    ],
)
def test_infoboxes_of_every_build(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("&lt;s&gt;旧&lt;/s&gt;&lt;br&gt;新&lt;ref&gt;三&lt;/ref&gt;", "旧\n新"),
        ("&amp;lt;div&amp;gt;新&amp;lt;/div&amp;gt;", "新"),
        ("甲<references/>乙<ref name=a />丙", "甲乙丙"),
        ("甲<ref>出处\n乙<ref>出处</ref>丙", "甲出处\n乙丙"),
        ("'''沈灯是灯匠。\n''斜", "沈灯是灯匠。\n斜"),
        ("[[沈灯是{{黑幕|灯匠。", "沈灯是黑幕|灯匠。"),
        ("{{灯会导航|甲}}{{Navbox|甲}}{{提示|甲}}乙", "乙"),
        ("<div style='display:none'>甲", "甲"),
        ("甲[[文件:灯.png|thumb|灯[[会]]]]乙", "甲乙"),
        ("姓名：沈灯\n外貌：\n性别：？\n喜好：", "姓名：沈灯"),
        ("喜好：\n* 糕", "喜好：\n糕"),
    ],
)
def test_what_is_escaped_or_never_closes(markup: str, text: str) -> None:
    assert text_of(markup) == text


def test_a_bold_line_and_a_term_are_headings() -> None:
    assert sections_of("'''外貌'''\n短发。\n;[[喜好]]\n:糕") == [
        (("外貌",), "短发。"),
        (("喜好",), "糕"),
    ]


def test_empty_cells_keep_their_columns() -> None:
    table = "{|\n! 代号 !! 座位 !! 序列\n|-\n| 愚者 || || 占卜家\n|-\n|\n| 巨龙\n| \n|}"
    assert text_of(table) == "代号: 愚者，序列: 占卜家\n座位: 巨龙"


def test_an_infobox_that_never_closes_still_gives_its_facts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    markup = "{{人物信息\n|姓名=沈灯\n|图片=灯.png\n沈灯住在[[吹烟镇"
    assert text_of(markup) == "人物信息\n姓名: 沈灯\n沈灯住在吹烟镇"
    assert caplog.messages == [
        "page '沈灯': 2 templates, links, tables or tags never close, read as text: mend the page"
    ]


def test_a_table_that_never_closes_keeps_its_rows() -> None:
    assert text_of("{|\n! 雨 !! 价格\n|-\n| 晨醒 || 三枚") == "雨: 晨醒，价格: 三枚"


def test_style_parameters_are_no_facts() -> None:
    assert text_of("{{人物信息|姓名=沈灯|标题颜色=red|底色=pink|图片大小=大}}") == "姓名: 沈灯"


def test_texts_and_names_of_an_infobox_both_count() -> None:
    assert text_of("{{人物信息|姓名=沈灯|灯匠}}") == "姓名: 沈灯\n灯匠"


def test_split_sections_drops_blank_lines_and_outer_blanks() -> None:
    assert split_sections("  甲　　乙 \n\n" + heading_line(2, " 丙 ") + "丁\n") == [
        ((), "甲 乙"),
        (("丙",), "丁"),
    ]
