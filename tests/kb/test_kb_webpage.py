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


MEDIAWIKI = """<html><head><title>阿岚 - 某百科</title></head><body><div id="content" role="main">
<div id="siteNotice"><div class="mw-parser-output"><p>本站公告：请登录后编辑。</p></div></div>
<h1 id="firstHeading">阿岚</h1><div id="mw-content-text"><div class="mw-parser-output">
<p><b>阿岚</b>是塔里的灯匠。</p></div></div></div></body></html>"""
WIKIDOT = """<html><head><title>阿岚 - 某基金会</title></head><body><div id="header"><h1>某基金会</h1></div>
<div id="side-bar">导航</div><div id="page-title">阿岚</div><div id="page-content">
<div class="page-rate-widget-box">评分: +12</div><p>阿岚是塔里的灯匠。</p>
<div class="collapsible-block"><div class="collapsible-block-folded">+ 显示</div>
<div class="collapsible-block-unfolded" style="display:none"><p>他怕水。</p></div></div>
<ul class="yui-nav"><li>甲</li></ul><div id="wiki-tab-0-1" style="display:none">他爱糕。</div>
<div class="footnotes-footer">脚注</div></div><div class="page-tags">灯</div></body></html>"""
FANDOM = """<html><head><title>阿岚 | 灯 Wiki | Fandom</title></head><body class="ns-0">
<header><h1>灯 Wiki</h1></header><main><h1 class="page-header__title" id="firstHeading">阿岚</h1>
<div class="mw-parser-output"><aside class="portable-infobox"><h2>阿岚</h2>
<section class="pi-group"><div class="pi-item pi-data"><h3 class="pi-data-label">年龄</h3>
<div class="pi-data-value">十七<br>或十八</div></div><div class="pi-item pi-data"><h3 class="pi-data-label">空</h3>
<div class="pi-data-value"></div></div></section><table class="pi-horizontal-group"><thead><tr>
<th class="pi-data-label">身高</th><th class="pi-data-label">体重</th></tr></thead><tbody><tr>
<td class="pi-data-value">一米</td><td class="pi-data-value">百斤</td></tr></tbody></table></aside>
<p>阿岚是塔里的灯匠。</p></div></main></body></html>"""


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        (MEDIAWIKI, ["阿岚是塔里的灯匠。"]),
        (WIKIDOT, ["阿岚是塔里的灯匠。\n他怕水。\n他爱糕。"]),
        (FANDOM, ["年龄: 十七、或十八\n身高: 一米\n体重: 百斤", "阿岚是塔里的灯匠。"]),
    ],
)
def test_the_content_of_each_kind_of_wiki(source: str, texts: list[str]) -> None:
    page = render_page(source, fallback="页")
    assert (page.title, page.left_out) == ("阿岚", False)
    assert [text for _, text in split_sections(page.text)] == texts


def test_a_content_area_that_a_script_was_to_fill_is_passed_over() -> None:
    source = "<div id='mw-content-text'></div><div id='content'><p>沈灯是灯匠，住在河边的塔里，爱吃桂花糕。</p></div>"
    assert "桂花糕" in render_page(source, fallback="页").text


@pytest.mark.parametrize("space", ["1", "-1", "2", "10"])
def test_pages_of_other_namespaces_are_no_articles(space: str) -> None:
    assert render_page(f"<body class='a ns-{space}'>甲</body>", fallback="页").left_out
    assert not render_page(f"<body class='ns-0'>{space}</body>", fallback="页").left_out


def test_boxes_and_lists_of_links_leave_nothing() -> None:
    links = "·".join(f"<a href='{n}'>页面{n}</a>" for n in range(12))
    assert sections_of(f"<table><tr><td>{links}</td></tr></table>") == []
    assert (
        sections_of("<ul><li><a href='#a'>1 喜好</a></li><li><a href='#b'>2 经历</a></li></ul>")
        == []
    )
    assert sections_of("<ul><li><a href='a'>糕</a></li><li><a href='b'>茶</a></li></ul>") == [
        ((), "糕\n茶")
    ]


def test_contents_references_and_their_headings_leave_nothing() -> None:
    body = "<h2>目錄</h2><p>一</p><h2>喜好</h2><p>糕[编辑][1]</p><h2>參考資料</h2><p>书</p><h2>导航</h2>x"
    assert sections_of(body) == [(("喜好",), "糕")]


def test_a_term_before_a_long_text_is_a_heading() -> None:
    long = "男主角，十七岁的普通高中生，身高一百七十三公分，喜欢美乃滋。"
    assert sections_of(f"<dl><dt>菜月昴（声：某某）</dt><dd>{long}</dd></dl>") == [
        (("菜月昴",), f"（声：某某）\n{long}")
    ]


@pytest.mark.parametrize("tag", ["font", "div", "b", "span", "table", "p", "li"])
def test_tags_that_never_close_lose_no_text(tag: str) -> None:
    source = "".join(f"<{tag}>行{number}字" for number in range(1000))
    assert render_page(source, fallback="页").text.count("行") == 1000


def test_an_empty_page_has_no_text() -> None:
    assert render_page(" \n", fallback="页").text == ""
