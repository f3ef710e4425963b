"""Markdown as fans write and convert it, with HTML in it."""

import pytest

from kb.markdown import read_markdown
from kb.sections import Section, split_sections


def pages(text: str) -> list[tuple[str, list[Section]]]:
    read = ((title, split_sections(page)) for title, page in read_markdown(text))
    return [(title, sections) for title, sections in read if title or sections]


def text_of(text: str) -> str:
    return "\n".join(part for _, sections in pages(text) for _, part in sections)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("**灯匠**，*爱*`糕`", "灯匠，爱糕"),
        ("**沈灯（灯匠）**是人", "沈灯（灯匠）是人"),
        ("**剧透 **后面", "剧透 后面"),
        ("[镇](x.md)和![图](a.png)<https://a.b>", "镇和https://a.b"),
        ("[[沈灯|小灯]]和[[杜若#经历]]", "小灯和杜若"),
        ("甲\n乙", "甲\n乙"),
        ("　　四格缩进\n    是段落", "四格缩进\n是段落"),
        ("- 甲\n  - 乙\n1. 丙", "甲\n乙\n丙"),
        ("> [!note] 警告\n> 甲", "警告\n甲"),
        ("- [ ] 待办[^1]\n\n[^1]: 注", "待办\n注"),
        ("==高亮==字", "高亮字"),
        ("~~~\n姓名：阿岚\n外貌：\n~~~", "姓名：阿岚"),
        ("&#91;五人&#93;&amp;lt;", "[五人]<"),
        ("红馆在<font color='red'>湖边</font>。<br>门<s>旧</s>", "红馆在湖边。\n门旧"),
        ("<div>\n**粗**字\n- 项\n</div>", "粗字\n项"),
        ("<table><tr><td><b>名称</b></td><td>红馆</td></tr></table>\n- 项", "名称: 红馆\n项"),
        ("<details><summary>剧透</summary>\n\n他是**王子**。\n\n</details>", "剧透\n他是王子。"),
        ("| 代号 | 座位 |\n|---|---|\n| 愚者 | |\n| | 巨龙 |", "代号: 愚者\n座位: 巨龙"),
        ("| 甲 | 乙 |", "甲、乙"),
        ("3 * 4 * 5_6_7", "3 * 4 * 5_6_7"),
    ],
)
def test_text(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize("heading", ["# 甲城", "#甲城", "甲城\n===", "# 甲城 #", "# **甲城**"])
def test_a_first_level_heading_is_a_page(heading: str) -> None:
    assert pages(f"{heading}\n\n甲城是城。") == [("甲城", [((), "甲城是城。")])]


@pytest.mark.parametrize("heading", ["## 喜好", "##喜好", "== 喜好 ==", "喜好\n---", "**喜好**"])
def test_other_headings_are_sections(heading: str) -> None:
    assert pages(f"# 沈灯\n灯匠。\n\n{heading}\n糕") == [
        ("沈灯", [((), "灯匠。"), (("喜好",), "糕")])
    ]


def test_a_rule_under_a_paragraph_makes_it_no_heading() -> None:
    assert text_of("沈灯是灯匠。\n---\n他爱糕。") == "沈灯是灯匠。\n他爱糕。"


def test_a_contents_list_leaves_nothing() -> None:
    assert text_of("# 甲\n## 目录\n- [1 信息](#信息)\n  - [1.1 历史](#历史)\n## 信息\n糕") == "糕"
    assert text_of("- [信息](#信息)\n- [历史](#历史)\n\n## 信息\n糕") == "糕"


def test_front_matter_names_the_page() -> None:
    assert pages("---\ntitle: 沈灯\ntags: [a]\n---\n灯匠。") == [("沈灯", [((), "灯匠。")])]
