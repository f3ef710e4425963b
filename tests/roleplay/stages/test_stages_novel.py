"""A novel before it is taken in: encodings, chapters, volumes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from roleplay.errors import NovelError
from roleplay.stages.novel import adopt, look, look_at_world
from roleplay.world import World

ONE = "第一章 雨\n\n闻筝说：“漏了。”\n\n第二章 钟\n\n陆迟说：“走吧，去听钟。”\n"
TWO = "第三章 灯\n\n阿灯说：“灯还亮着。”\n"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return World.create(tmp_path / "mine", "我的").path


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_chapters_and_the_first_lines_are_shown(tmp_path: Path) -> None:
    seen = look([write(tmp_path / "a.txt", ONE, "gb18030")])
    assert seen.encoding == "gb18030" and seen.opening.startswith("第一章 雨")
    assert [part.title for part in seen.chapters] == ["第一章 雨", "第二章 钟"]
    assert seen.chapters[1].opening == "陆迟说：“走吧，去听钟。”"


def test_another_encoding_may_be_chosen(tmp_path: Path, world: Path) -> None:
    path = write(tmp_path / "a.txt", ONE, "gb18030")
    assert "雨" not in look([path], "big5hkscs").opening
    adopt(world, [path], "gb18030")
    assert (world / "novel.txt").read_text("utf-8").startswith("第一章 雨")


def test_an_unknown_encoding_is_told(tmp_path: Path) -> None:
    with pytest.raises(NovelError, match="no encoding klingon: known are utf-8"):
        look([write(tmp_path / "a.txt", ONE)], "klingon")


def test_volumes_become_one_novel(tmp_path: Path, world: Path) -> None:
    paths = [write(tmp_path / "a.txt", ONE, "gb18030"), write(tmp_path / "b.txt", TWO)]
    assert [part.title for part in look(paths).chapters] == ["第一章 雨", "第二章 钟", "第三章 灯"]
    adopt(world, paths)
    seen = look_at_world(world)
    assert seen is not None and len(seen.chapters) == 3 and seen.encoding == "utf-8"


def test_one_file_is_kept_as_it_is_and_replaces_another(tmp_path: Path, world: Path) -> None:
    path = write(tmp_path / "a.txt", ONE, "gb18030")
    adopt(world, [path])
    assert (world / "novel.txt").read_bytes() == path.read_bytes()
    adopt(world, [_epub(tmp_path / "b.epub")])
    assert not (world / "novel.txt").exists()
    seen = look_at_world(world)
    assert seen is not None and seen.encoding == "epub"


def test_titles_of_an_epub_survive_being_joined(tmp_path: Path, world: Path) -> None:
    adopt(world, [_epub(tmp_path / "a.epub"), write(tmp_path / "b.txt", TWO)])
    seen = look_at_world(world)
    assert seen is not None and "阿灯" in (world / "novel.txt").read_text("utf-8")
    assert [part.title for part in seen.chapters][-1] == "第三章 灯"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "has no text"),
        (b"%PDF-1.7", "PDF"),
        (bytes(range(256)) * 9, "cannot be read|unreadable|no known"),
    ],
)
def test_what_is_no_novel_is_told(tmp_path: Path, world: Path, data: bytes, told: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(NovelError, match=told):
        adopt(world, [tmp_path / "a.txt"])
    assert not (world / "novel.txt").exists()


def test_no_file_is_told() -> None:
    with pytest.raises(NovelError, match="choose a txt or EPUB file first"):
        look([])


def _epub(path: Path) -> Path:
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="c.opf"/></rootfiles></container>'
    )
    pages = "".join(f'<item id="p{n}" href="p{n}.xhtml"/>' for n in (1, 2))
    spine = "".join(f'<itemref idref="p{n}"/>' for n in (1, 2))
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf">'
        f"<manifest>{pages}</manifest><spine>{spine}</spine></package>"
    )
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("mimetype", "application/epub+zip")
        packed.writestr("META-INF/container.xml", container)
        packed.writestr("c.opf", opf)
        for n, name in ((1, "第一章 雨"), (2, "第二章 钟")):
            text = f"<html><body><h1>{name}</h1><p>闻筝说：“漏了{n}。”</p></body></html>"
            packed.writestr(f"p{n}.xhtml", text)
    return path
