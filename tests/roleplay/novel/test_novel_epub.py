"""EPUB: the spine's order, visible text only, clear refusals."""

import zipfile
from pathlib import Path

import pytest

from roleplay.errors import NovelError
from roleplay.novel.epub import page_text
from roleplay.novel.reading import read_novel

CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><manifest>
<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="b%20two.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/>
<item id="c" href="cover.png" media-type="image/png"/>
</manifest><spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine></package>"""
PAGES = {
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": PACKAGE,
    "OEBPS/nav.xhtml": "<html><body>目录</body></html>",
    "OEBPS/text/a.xhtml": "<html><body><h1>第一章　雨</h1><p>闻筝说：“漏了。”</p></body></html>",
    "OEBPS/b two.xhtml": "<html><body><h1>第二章　晴</h1><p>雨停了。</p></body></html>",
}


def make(path: Path, pages: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as book:
        for name, text in pages.items():
            book.writestr(name, text)
    return path


def test_pages_come_in_the_order_of_the_spine(tmp_path: Path) -> None:
    novel = read_novel(make(tmp_path / "novel.epub", PAGES))
    assert novel.text == "第一章　雨\n闻筝说：“漏了。”\n第二章　晴\n雨停了。"
    assert novel.encoding == "epub"


def test_an_epub_is_told_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    assert read_novel(make(tmp_path / "novel.txt", PAGES)).encoding == "epub"


def test_head_style_and_ruby_readings_are_left_out() -> None:
    html = "<head><title>书</title><style>p{}</style></head><p><ruby>漢<rt>かん</rt></ruby>字</p>"
    assert page_text(html) == "漢字"


def test_a_br_ends_a_line() -> None:
    assert page_text("<p>甲<br/>乙<br>丙</p>") == "甲\n乙\n丙"


def test_a_break_in_the_source_is_no_blank_between_chinese_characters() -> None:
    assert page_text("<p>晨醒雨\n   晚了 three\nminutes</p>") == "晨醒雨晚了 three minutes"


def test_entities_are_read() -> None:
    assert page_text("<p>&ldquo;漏了&hellip;&hellip;&rdquo;&#12288;雨</p>") == "“漏了……”　雨"


def test_a_zip_that_is_no_epub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NovelError, match=r"is no readable EPUB .*container\.xml") as caught:
        read_novel(make(tmp_path / "novel.txt", {"a.txt": "甲"}))
    assert "archive" not in caught.value.text("zh")


def test_a_broken_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "novel.epub"
    path.write_bytes(b"PK\x03\x04broken")
    with pytest.raises(NovelError, match="is no readable EPUB"):
        read_novel(path)


def test_a_book_without_text_is_refused(tmp_path: Path) -> None:
    pages = {**PAGES, "OEBPS/text/a.xhtml": "<p/>", "OEBPS/b two.xhtml": "<p/>"}
    with pytest.raises(NovelError, match="has no text"):
        read_novel(make(tmp_path / "novel.epub", pages))
