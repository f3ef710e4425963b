"""Wiki files of every kind to entries."""

from pathlib import Path

import pytest

from kb.errors import WikiError
from kb.wiki import Entry, iter_wiki

EXPORT = """<mediawiki version="0.10">
<page><title>沈灯</title><ns>0</ns><revision><text>'''沈灯'''是灯匠。</text></revision></page>
<page><title>小灯</title><ns>0</ns><redirect title="沈灯"/>
<revision><text>#REDIRECT [[沈灯]]</text></revision></page>
<page><title>Template:灯</title><ns>10</ns><revision><text>模板</text></revision></page>
</mediawiki>"""


def read_wiki(path: Path) -> list[Entry]:
    return list(iter_wiki(path))


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_wiki_file_is_one_page_named_by_its_stem(tmp_path: Path) -> None:
    write(tmp_path, "沈灯.wiki", "沈灯是灯匠。\n== 喜好 ==\n茶")
    [entry] = read_wiki(tmp_path)
    assert (entry.title, entry.source) == ("沈灯", "沈灯.wiki")
    assert entry.sections == (((), "沈灯是灯匠。"), (("喜好",), "茶"))


def test_aliases_come_from_the_infobox(tmp_path: Path) -> None:
    write(
        tmp_path,
        "沈灯.wiki",
        "{{人物信息|本名=沈灯|别名=[[小灯]]、灯儿（镇上人叫的）|昵称=阿灯<br>灯灯}}",
    )
    assert read_wiki(tmp_path)[0].aliases == ("小灯", "灯儿", "阿灯", "灯灯")


def test_redirects_become_aliases_through_a_chain(tmp_path: Path) -> None:
    write(tmp_path, "沈灯.wiki", "沈灯是灯匠。")
    write(tmp_path, "小灯.wiki", "#REDIRECT [[沈灯]]")
    write(tmp_path, "灯儿.wiki", "#重定向 [[小灯#称呼]]")
    [entry] = read_wiki(tmp_path)
    assert set(entry.aliases) == {"小灯", "灯儿"}


def test_redirect_circle_and_missing_target_are_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "甲.wiki", "#REDIRECT [[乙]]")
    write(tmp_path, "乙.wiki", "#REDIRECT [[甲]]")
    assert read_wiki(tmp_path) == []
    assert "not among the pages" in caplog.text


def test_markdown_gives_an_entry_for_every_first_level_heading(tmp_path: Path) -> None:
    write(
        tmp_path,
        "人物.md",
        "# 沈灯\n**灯匠**，住在[吹烟镇](x.md)。\n## 喜好\n- 茶\n\n| 甲 | 乙 |\n|---|---|\n# 杜若 #\n别名：阿若\n",
    )
    shen, du = read_wiki(tmp_path)
    assert shen.sections == (((), "灯匠，住在吹烟镇。"), (("喜好",), "茶\n甲、乙"))
    assert (du.title, du.aliases) == ("杜若", ("阿若",))


def test_text_marks_start_entries(tmp_path: Path) -> None:
    write(tmp_path, "设定.txt", "序言\n【沈灯】\n灯匠。\n他说【好】。\n【杜若】：养猫。")
    entries = read_wiki(tmp_path)
    assert [entry.title for entry in entries] == ["设定", "沈灯", "杜若"]
    assert entries[1].sections == (((), "灯匠。\n他说【好】。"),)
    assert entries[2].sections == (((), "养猫。"),)


def test_export_gives_pages_of_the_main_namespace(tmp_path: Path) -> None:
    [entry] = read_wiki(write(tmp_path, "dump.xml", EXPORT))
    assert (entry.title, entry.aliases, entry.source) == ("沈灯", ("小灯",), "dump.xml")
    assert entry.sections == (((), "沈灯是灯匠。"),)


def test_gb18030_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "沈灯.wiki").write_bytes("沈灯是灯匠。".encode("gb18030"))
    assert read_wiki(tmp_path)[0].sections[0][1] == "沈灯是灯匠。"


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "坏.wiki").write_bytes(b"\x80\x81\xff\x00\xff")
    with pytest.raises(WikiError, match="not text in UTF-8 or GB18030: save it as UTF-8"):
        read_wiki(tmp_path)


def test_binary_data_with_the_ending_of_a_page_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "图.wiki").write_bytes(bytes(range(128)) * 40)
    with pytest.raises(WikiError, match=r"图\.wiki' is not text but binary data"):
        read_wiki(tmp_path)


def test_one_enormous_line_is_read_whole(tmp_path: Path) -> None:
    write(tmp_path, "沈灯.wiki", "沈灯在河边点灯，" * 100_000)
    assert len(read_wiki(tmp_path)[0].sections[0][1]) == 800_000


def test_pages_without_text_are_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for title in ("一", "七", "三", "八"):
        write(tmp_path, f"{title}.wiki", "{{stub}}\n[[Category:人物]]")
    write(tmp_path, "沈灯.wiki", "沈灯是灯匠。")
    assert [entry.title for entry in read_wiki(tmp_path)] == ["沈灯"]
    assert caplog.messages == ["4 pages have no text and are left out: 一, 七, 三, ..."]


def test_bold_names_of_the_first_sentence_are_aliases(tmp_path: Path) -> None:
    write(
        tmp_path,
        "沈灯.wiki",
        "{{人物信息|性别=女}}\n'''沈灯'''（又名'''灯儿'''）是'''唯一'''的灯匠。她爱吃'''桂花'''。",
    )
    write(tmp_path, "杜若.md", "# 杜若\n**杜若**，人称**阿若**。\n## 喜好\n**茶**\n")
    assert [entry.aliases for entry in read_wiki(tmp_path)] == [("阿若",), ("灯儿",)]


def test_a_redirect_that_can_be_no_name_is_no_alias(tmp_path: Path) -> None:
    export = EXPORT.replace("<title>小灯</title>", "<title>沈灯/经历</title>")
    assert read_wiki(write(tmp_path, "dump.xml", export))[0].aliases == ()


def test_the_core_of_a_title_is_an_alias(tmp_path: Path) -> None:
    write(tmp_path, "沈灯（灯匠）.wiki", "沈灯是灯匠。")
    write(tmp_path, "雨城：杜若.wiki", "杜若是猫主人。")
    assert [entry.aliases for entry in read_wiki(tmp_path)] == [("沈灯",), ("杜若",)]


def test_html_says_its_encoding(tmp_path: Path) -> None:
    page = '<html><head><meta charset="big5"><title>燈匠</title></head><body><p>點燈的人。</p></body></html>'
    (tmp_path / "a.html").write_bytes(page.encode("big5"))
    [entry] = read_wiki(tmp_path)
    assert (entry.title, entry.sections) == ("燈匠", (((), "點燈的人。"),))


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "沈灯.wiki", "沈灯是灯匠。")
    (tmp_path / "._沈灯.wiki").write_bytes(b"\x00\x05\x16\x07")
    assert len(read_wiki(tmp_path)) == 1


def test_missing_folder_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(WikiError, match=r"no wiki at .*put \.wiki"):
        read_wiki(tmp_path / "wiki")


def test_folder_without_readable_files_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.docx", "x")
    with pytest.raises(WikiError, match="nothing to read"):
        read_wiki(tmp_path)
