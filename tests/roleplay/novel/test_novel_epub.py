"""EPUB: every kind of fault that real books have costs a page at most, never the book."""

import time
import zipfile
from pathlib import Path

import pytest

from roleplay.errors import NovelError
from roleplay.novel.chapters import find_chapters
from roleplay.novel.epub import read_page
from roleplay.novel.reading import Novel, read_novel

CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
ITEMS = """<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="b%20two.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/>
<item id="x" href="toc.ncx" media-type="application/x-dtbncx+xml"/>
<item id="c" href="cover.png" media-type="image/png"/>"""
SPINE = '<itemref idref="n"/><itemref idref="a"/><itemref idref="b"/>'
ONE, TWO = "第一章　雨\n闻筝说：“漏了。”", "第二章　晴\n雨停了。"


def package(items: str = ITEMS, spine: str = SPINE) -> str:
    return (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf"><metadata/>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )


def page(text: str) -> str:
    head, *lines = text.split("\n")
    body = f"<h1>{head}</h1>" + "".join(f"<p>{line}</p>" for line in lines)
    return f"<html><head><title>书</title></head><body>{body}</body></html>"


def ncx(*points: tuple[str, str]) -> str:
    told = (
        f'<navPoint id="p"><navLabel><text>{title}</text></navLabel><content src="{address}"/></navPoint>'
        for title, address in points
    )
    return f"<ncx><docTitle><text>书</text></docTitle><navMap>{''.join(told)}</navMap></ncx>"


PAGES: dict[str, str | bytes] = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": package(),
    "OEBPS/nav.xhtml": "<html><body>目录</body></html>",
    "OEBPS/text/a.xhtml": page(ONE),
    "OEBPS/b two.xhtml": page(TWO),
}


def make(path: Path, pages: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in pages.items():
            book.writestr(name, text)
    return path


def read(folder: Path, changed: dict[str, str | bytes], without: str = "") -> Novel:
    pages = {name: text for name, text in {**PAGES, **changed}.items() if name != without}
    return read_novel(make(folder / "novel.epub", pages))


def titles(novel: Novel) -> list[str]:
    return [chapter.title for chapter in find_chapters(novel.text, novel.titles)]


def test_pages_come_in_the_order_of_the_spine(tmp_path: Path) -> None:
    novel = read(tmp_path, {})
    assert (novel.text, novel.encoding, novel.notes) == (f"{ONE}\n{TWO}", "epub", ())
    assert titles(novel) == ["第一章　雨", "第二章　晴"]


def test_an_epub_is_told_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    assert read_novel(make(tmp_path / "novel.txt", PAGES)).encoding == "epub"


WHOLE = {
    "no_mimetype": ({}, "mimetype"),
    "no_container": ({}, "META-INF/container.xml"),
    "no_package": ({}, "OEBPS/book.opf"),
    "empty_package": ({"OEBPS/book.opf": ""}, ""),
    "package_cut_off": ({"OEBPS/book.opf": package()[: package().index("<spine>")]}, ""),
    "lines_before_xml": ({"OEBPS/book.opf": "\n\n \ufeff" + package()}, ""),
    "mark": ({"OEBPS/book.opf": b"\xef\xbb\xbf" + package().encode()}, ""),
    "utf_16": ({"OEBPS/book.opf": package().encode("utf-16"), "OEBPS/text/a.xhtml": page(ONE).encode("utf-16")}, ""),
    "gbk_page": ({"OEBPS/text/a.xhtml": page(ONE).encode("gbk")}, ""),
    "entity": ({"OEBPS/book.opf": package().replace("<metadata/>", "<metadata>a&nbsp;b & c</metadata>")}, ""),
    "prefixes": ({"OEBPS/book.opf": package().replace("<item", "<opf:item").replace("<spine", "<opf:spine")}, ""),
    "single_quotes": ({"OEBPS/book.opf": package().replace('"', "'")}, ""),
    "comment": ({"OEBPS/book.opf": package(spine=f"<!-- {SPINE} -->" + SPINE)}, ""),
    "media_type": ({"OEBPS/book.opf": package().replace("application/xhtml+xml", "text/x-oeb1-document")}, ""),
    "image_type": ({"OEBPS/book.opf": package().replace("application/xhtml+xml", "image/jpeg")}, ""),
    "no_media_type": ({"OEBPS/book.opf": package().replace('media-type="application/xhtml+xml"', "")}, ""),
    "other_case": ({"OEBPS/TEXT/A.XHTML": page(ONE)}, "OEBPS/text/a.xhtml"),
    "other_folder": ({"a.xhtml": page(ONE)}, "OEBPS/text/a.xhtml"),
    "fragment": ({"OEBPS/book.opf": package().replace('a.xhtml"', 'a.xhtml#top"')}, ""),
    "backslash": ({"OEBPS/book.opf": package().replace("text/a", "text\\a")}, ""),
    "dots": ({"OEBPS/book.opf": package().replace("text/a", "../OEBPS/./text/a")}, ""),
    "two_packages": ({"META-INF/container.xml": CONTAINER.replace("<rootfiles>", '<rootfiles><rootfile full-path="a.pdf"/>')}, ""),
    "listed_twice": ({"OEBPS/book.opf": package(spine=SPINE * 100)}, ""),
    "font_obfuscated": ({"META-INF/encryption.xml": '<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/><CipherData><CipherReference URI="OEBPS/text/a.xhtml"/></CipherData></EncryptedData></encryption>'}, ""),
    "title_closed_in_itself": ({"OEBPS/text/a.xhtml": page(ONE).replace("<title>书</title>", '<title/><script src="a.js"/>')}, ""),
    "not_closed": ({"OEBPS/text/a.xhtml": "<html><body><p>第一章　雨<p>闻筝说：“漏了。”"}, ""),
    "text_only": ({"OEBPS/text/a.xhtml": "<p>第一章　雨</p>闻筝说：“漏了。”"}, ""),
    "prefixed_tags": ({"OEBPS/text/a.xhtml": page(ONE).replace("<p", "<h:p").replace("</p", "</h:p")}, ""),
    "cdata": ({"OEBPS/text/a.xhtml": page(ONE).replace("漏了", "<![CDATA[漏了]]>")}, ""),
    "junk_in_front": ({"OEBPS/text/a.xhtml": "\x00\x01 " + page(ONE)}, ""),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "without"), WHOLE.values(), ids=WHOLE)
def test_these_books_are_read_whole(
    tmp_path: Path, changed: dict[str, str | bytes], without: str
) -> None:
    text = read(tmp_path, changed, without).text
    # Without a package the pages come in the order of their names.
    assert text in (f"{ONE}\n{TWO}", f"{TWO}\n{ONE}", f"{TWO}\n目录\n{ONE}", f"{TWO}\n{ONE}\n目录")


def locked(name: str) -> str:
    return f'<EncryptedData><EncryptionMethod Algorithm="aes"/><CipherReference URI="{name}"/></EncryptedData>'


LEFT_OUT = {
    "missing": ({}, "OEBPS/text/a.xhtml", "page left out: text/a.xhtml (it is not in the book)"),
    "not_in_manifest": ({"OEBPS/book.opf": package(spine=SPINE.replace('"a"', '"q"'))}, "", "page left out: q (it is not in the book)"),
    "encrypted": ({"META-INF/encryption.xml": locked("OEBPS/text/a.xhtml")}, "", "page left out: OEBPS/text/a.xhtml (it is encrypted)"),
    "no_text": ({"OEBPS/text/a.xhtml": bytes(range(256)) * 9}, "", "page left out: OEBPS/text/a.xhtml (it is damaged or too big)"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "without", "note"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_page_that_cannot_be_read_is_left_out_and_named(
    tmp_path: Path, changed: dict[str, str | bytes], without: str, note: str
) -> None:
    novel = read(tmp_path, changed, without)
    assert (novel.text, [str(one) for one in novel.notes]) == (TWO, [note])
    assert "（" in novel.notes[0].text("zh")


def test_a_page_whose_bytes_are_damaged_is_left_out(tmp_path: Path) -> None:
    path = make(tmp_path / "novel.epub", {**PAGES, "OEBPS/text/a.xhtml": page(ONE + "\n雨" * 400)})
    data = path.read_bytes()
    at = data.index(b"OEBPS/text/a.xhtml") + 40
    path.write_bytes(data[:at] + bytes(9) + data[at + 9 :])
    assert read_novel(path).text == TWO


def test_bad_bytes_of_a_page_are_counted(tmp_path: Path) -> None:
    novel = read(tmp_path, {"OEBPS/text/a.xhtml": page(ONE).encode() + b"\xff"})
    assert [str(note) for note in novel.notes] == ["1 bytes could not be read: OEBPS/text/a.xhtml"]


def test_a_hundred_missing_pages_are_named_in_part(tmp_path: Path) -> None:
    spine = "".join(f'<itemref idref="q{n}"/>' for n in range(100))
    novel = read(tmp_path, {"OEBPS/book.opf": package(spine=spine + SPINE)})
    assert len(novel.notes) == 11 and str(novel.notes[10]) == "90 more pages left out"


@pytest.mark.parametrize("how", ["ncx", "nav", "page"])
def test_the_titles_of_the_contents_make_the_chapters(tmp_path: Path, how: str) -> None:
    links = [("漏雨的早晨", "text/a.xhtml"), ("一", "text/a.xhtml#s1"), ("晴 天", "b%20two.xhtml")]
    listed = "".join(f'<li><a href="{address}">{title}</a></li>' for title, address in links)
    other = '<nav epub:type="landmarks"><a href="text/a.xhtml">开始</a></nav>'
    changed: dict[str, str | bytes] = {
        "OEBPS/text/a.xhtml": '<body><p>雨。</p><p id="s1">漏了。</p></body>',
        "OEBPS/b two.xhtml": "<body><p>雨停了。</p></body>",
    }
    if how == "ncx":
        changed["OEBPS/toc.ncx"] = ncx(*links)
    elif how == "nav":
        changed["OEBPS/nav.xhtml"] = f'{other}<nav epub:type="toc"><ol>{listed}</ol></nav>'
    else:  # a contents page among the others, which no file names
        changed["OEBPS/nav.xhtml"] = (
            f"<body><p>目录</p><ol>{listed}<li><a href='c.xhtml'>封面</a></li></ol></body>"
        )
        changed["OEBPS/book.opf"] = package().replace('properties="nav"', "")
    novel = read(tmp_path, changed)
    assert novel.text == "雨。\n漏了。\n雨停了。"
    assert titles(novel) == ["漏雨的早晨", "一", "晴 天"]


def test_pages_of_the_paper_book_are_no_chapters(tmp_path: Path) -> None:
    target = '<pageTarget><navLabel><text>{0}</text></navLabel><content src="text/a.xhtml#p{0}"/></pageTarget>'
    listed = "".join(target.format(n) for n in range(9))
    points = ncx(
        ("雨", "text/a.xhtml"),
        ("<b>晴</b> " + "".join(f"<i>{n}</i>" for n in range(12)), "b%20two.xhtml"),
    )
    novel = read(
        tmp_path,
        {"OEBPS/toc.ncx": points.replace("</ncx>", f"<pageList>{listed}</pageList></ncx>")},
    )
    assert titles(novel) == ["雨", "晴 01234567891011"]


def test_a_place_named_inside_what_is_left_out_is_found(tmp_path: Path) -> None:
    body = '<p>雨。</p><p><span class="pagenum"><a id="p2">2</a></span>晴。</p>'
    points = ncx(("一", "text/a.xhtml"), ("二", "text/a.xhtml#p2"))
    novel = read(tmp_path, {"OEBPS/text/a.xhtml": body, "OEBPS/toc.ncx": points})
    assert novel.titles == ((0, "一"), (3, "二"))


def test_a_part_without_text_lends_its_title_to_the_next_chapter(tmp_path: Path) -> None:
    points = ncx(("第一部", "p.xhtml"), ("雨", "text/a.xhtml"), ("晴", "b%20two.xhtml"))
    items = ITEMS + '<item id="p" href="p.xhtml"/>'
    novel = read(
        tmp_path,
        {
            "OEBPS/book.opf": package(items, '<itemref idref="p"/>' + SPINE),
            "OEBPS/p.xhtml": '<body><img src="p.jpg" alt="图"/></body>',
            "OEBPS/toc.ncx": points,
        },
    )
    assert titles(novel) == ["第一部 雨", "晴"]


def test_headings_inside_are_chapters_where_the_contents_name_only_the_parts(
    tmp_path: Path,
) -> None:
    text = "".join(f"<p>第{n}章 雨{n}</p><p>{'下了。' * 40}</p>" for n in range(1, 7))
    novel = read(
        tmp_path,
        {
            "OEBPS/text/a.xhtml": f"<body><p>第一部</p>{text}</body>",
            "OEBPS/toc.ncx": ncx(("第一部", "text/a.xhtml"), ("尾声", "b%20two.xhtml")),
        },
    )
    assert len(titles(novel)) == 8 and titles(novel)[1:3] == ["第1章 雨1", "第2章 雨2"]


def test_headings_without_numbers_are_chapters_where_nothing_names_them(tmp_path: Path) -> None:
    novel = read(
        tmp_path,
        {
            "OEBPS/text/a.xhtml": "<h3>漏雨的早晨</h3><p>漏了。</p><h3>一</h3><p>雨。</p>",
            "OEBPS/b two.xhtml": "<h2>不寄的<br/>信</h2><p>停了。</p>",
        },
    )
    assert titles(novel) == ["漏雨的早晨", "不寄的 信"]


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<head><title>书</title><style>p{}</style></head><p><ruby>漢<rt>かん</rt></ruby>字</p>", "漢字"),
        ("<p><ruby>漢<rp>(</rp><rt>かん<rp>)</rp></ruby>字</p>", "漢字"),
        ("<p>甲<br/>乙<br>丙</p>", "甲\n乙\n丙"),
        ("<p>晨醒雨\n   晚了 three\nminutes</p>", "晨醒雨晚了 three minutes"),
        ("<p>&ldquo;漏了&hellip;&hellip;&rdquo;&#12288;雨</p>", "“漏了……”　雨"),
        ("<pre>甲\n乙</pre>", "甲\n乙"),
        ('<p>雨<a href="#n1">[1]</a>停<sup>②</sup>了<a epub:type="noteref" href="n.xhtml">注</a>。</p>', "雨停了。"),
        ('<p>雨。</p><p><a href="#r1">[1]</a> 雨：天上的水。</p><p>晴。</p>', "雨。\n晴。"),
        ('<p>雨。</p><aside epub:type="footnote"><p>注</p></aside><div class="duokan-footnote-item">注</div>', "雨。"),
        ('<p>雨<span epub:type="pagebreak">12</span>停。</p><figure><img alt="图"/><figcaption>图一</figcaption></figure>', "雨停。"),
        ('<h2><a href="toc.html#c1">1</a></h2><p>雨。</p>', "1\n雨。"),
        ("<p>雨<!-- <p>注</p> -->停。</p>", "雨停。"),
        ("<p>Rain <i>fell</i>.</p>\n\n<p>It <b>stop</b>ped.</p>", "Rain fell.\nIt stopped."),
        ("", ""),
    ],
)  # fmt: skip
def test_what_a_reader_sees_of_a_page(html: str, shown: str) -> None:
    assert "\n".join(read_page(html).lines) == shown


HOSTILE = [
    "<div>",
    "<p>",
    "<rt>",
    "<sup>",
    '<a href="#1">1',
    "<h1>雨",
    "<",
    "<!--",
    "&",
    "<pre>",
    "<a/>",
    "<p id='a'>雨</p>",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_a_page_of_any_tags_takes_linear_time(tmp_path: Path, part: str) -> None:
    start = time.perf_counter()
    novel = read(tmp_path, {"OEBPS/text/a.xhtml": part * 200_000})
    assert novel.text.endswith(TWO) and time.perf_counter() - start < 30


def test_a_page_that_unpacks_to_more_than_a_novel_is_left_out(tmp_path: Path) -> None:
    novel = read(tmp_path, {"OEBPS/text/a.xhtml": bytes(80_000_000)})
    assert "damaged or too big" in str(novel.notes[0])


def test_pictures_of_any_size_do_not_count(tmp_path: Path) -> None:
    assert read(tmp_path, {"OEBPS/cover.png": bytes(80_000_000)}).text == f"{ONE}\n{TWO}"


def test_a_protected_book_says_so(tmp_path: Path) -> None:
    both = locked("OEBPS/text/a.xhtml") + locked("OEBPS/b%20two.xhtml")
    with pytest.raises(NovelError, match=r"is protected \(DRM\)"):
        read(tmp_path, {"META-INF/encryption.xml": f"<encryption>{both}</encryption>"})


def test_a_zip_that_is_no_epub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NovelError, match=r"is no readable EPUB .*container\.xml") as caught:
        read_novel(make(tmp_path / "novel.txt", {"a.txt": "甲"}))
    assert "page" not in caught.value.text("zh")


def test_a_word_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(NovelError, match=r"looks like Word \(docx\)"):
        read_novel(make(tmp_path / "novel.txt", {"word/document.xml": "<w:p/>"}))


@pytest.mark.parametrize("data", [b"PK\x03\x04broken", b"PK\x03\x04"])
def test_a_broken_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "novel.epub"
    path.write_bytes(data)
    with pytest.raises(NovelError, match="is no readable EPUB"):
        read_novel(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_book_cut_off_anywhere_is_one_line(tmp_path: Path, share: float) -> None:
    path = make(tmp_path / "novel.epub", PAGES)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(NovelError) as caught:
        read_novel(path)
    assert "\n" not in str(caught.value)


def test_a_book_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NovelError, match="has no text"):
        read(tmp_path, {"OEBPS/text/a.xhtml": "<p/>", "OEBPS/b two.xhtml": "<p/>"})
