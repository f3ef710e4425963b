"""Saved web pages: the article stays, the site around it goes."""

import pytest

from kb.sections import Section, bold_names, split_sections
from kb.webpage import render_page

SITE = """<!DOCTYPE html><html><head><title>沈灯 - 灯百科</title><style>p{{color:red}}</style></head><body>
<nav>首页 登录</nav><h1 id="firstHeading">沈灯</h1><div class="mw-parser-output">{}</div>
<footer>版权</footer><script>var a = "<p>脚本</p>";</script></body></html>"""


def sections_of(body: str) -> list[Section]:
    return split_sections(render_page(SITE.format(body), fallback="页").text)


def test_only_the_content_is_read_and_the_heading_is_the_title() -> None:
    page = render_page(SITE.format("<p>沈灯是灯匠。</p>"), fallback="页")
    assert (page.title, split_sections(page.text)) == ("沈灯", [((), "沈灯是灯匠。")])


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("<title>沈灯 - 灯百科</title><p>甲</p>", "沈灯"),
        ("<p>甲</p>", "页"),
        ("<h1><i>杜若</i></h1>甲", "杜若"),
    ],
)
def test_title(source: str, title: str) -> None:
    assert render_page(source, fallback="页").title == title


def test_headings_give_a_path_without_their_edit_marks() -> None:
    body = '<h2>经历<span class="mw-editsection">[编辑]</span></h2><p>甲</p><h3>少年</h3><p>乙</p><h2>喜好</h2>丙'
    assert sections_of(body) == [(("经历",), "甲"), (("经历", "少年"), "乙"), (("喜好",), "丙")]


@pytest.mark.parametrize(
    "body",
    [
        '<ol class="references"><li>出处</li></ol>',
        '<sup class="reference">[1]</sup>',
        '<table class="navbox"><tr><td>相关</td></tr></table>',
        '<div id="toc">目录</div>',
        '<div style="display: none">隐</div>',
        "<style>.a{}</style><script>b</script><noscript>c</noscript>",
        "<!-- 注 -->",
    ],
)
def test_furniture_leaves_nothing(body: str) -> None:
    assert sections_of(body) == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>甲<br>乙</p>丙", "甲\n乙\n丙"),
        ("<p>沈灯\n是<a href='x'>灯匠</a>。</p>", "沈灯是灯匠。"),
        ("<p>Anna\nLee</p>", "Anna Lee"),
        ("<ul><li>甲<ul><li>乙</li></ul></li></ul>", "甲\n乙"),
        ("<dl><dt>丁</dt><dd>戊</dd></dl>", "丁: 戊"),
        ("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>", "漢字（かんじ）"),
        ('她是<span class="heimu" title="x">王女</span>。', "她是王女。"),
        ("<p>甲<p>乙", "甲\n乙"),
        ("甲&nbsp;&lt;乙&gt;", "甲 <乙>"),
    ],
)
def test_text(body: str, text: str) -> None:
    assert sections_of(body) == [((), text)]


def test_infobox_pairs_are_facts_in_their_own_section() -> None:
    box = '<table class="infobox"><caption>沈灯</caption><tr><th>生日</th><td>三月初三</td></tr></table>'
    assert sections_of(box + "<p>沈灯是灯匠。</p>") == [
        ((), "沈灯\n生日: 三月初三"),
        ((), "沈灯是灯匠。"),
    ]


def test_portable_infobox() -> None:
    item = '<div class="pi-item pi-data"><h3 class="pi-data-label">{}</h3><div class="pi-data-value">{}</div></div>'
    box = f'<aside class="portable-infobox"><h2>沈灯</h2>{item.format("生日", "三月初三")}{item.format("职业", "灯匠")}</aside>'
    assert sections_of(box + "<p>甲</p>") == [((), "生日: 三月初三\n职业: 灯匠"), ((), "甲")]


def test_table_rows_carry_their_headers() -> None:
    table = (
        "<table><thead><tr><th>雨<th>价格<tbody><tr><td>晨醒<td rowspan=2>三枚<tr><td>半糖</table>"
    )
    assert sections_of(table) == [((), "雨: 晨醒，价格: 三枚\n雨: 半糖，价格: 三枚")]


def test_bold_names_are_marked() -> None:
    assert bold_names(
        render_page("<p><b>沈灯</b>，也叫<strong>小灯</strong>。</p>", fallback="页").text
    ) == ["沈灯", "小灯"]


@pytest.mark.parametrize(
    "source", ["<div>" * 100_000 + "灯", "<b>" * 100_000, "<table><tr><td>" * 5_000, "<" * 100_000]
)
def test_bombs_are_read(source: str) -> None:
    assert len(render_page(source, fallback="页").text) <= len(source)


def test_an_empty_page_has_no_text() -> None:
    assert render_page(" \n", fallback="页").text == ""
