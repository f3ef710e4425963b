"""MediaWiki exports: every encoding, cut off anywhere, hostile, and in flat memory."""

import bz2
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import wiki_export
from kb.errors import WikiError
from kb.export import ExportPage, read_export

PAGE = "<page><title>{0}</title><ns>0</ns><revision><text>{0}是灯匠。</text></revision></page>\n"
EXPORT = (
    "<mediawiki>\n<siteinfo><sitename>灯</sitename></siteinfo>\n"
    + PAGE.format("沈灯")
    + PAGE.format("杜若")
)
WHOLE = EXPORT + "</mediawiki>"
SHEN, DU = ExportPage("沈灯", "沈灯是灯匠。"), ExportPage("杜若", "杜若是灯匠。")


def export(folder: Path, data: bytes, name: str = "dump.xml") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?>\n{WHOLE}'
    assert list(read_export(export(tmp_path, text.encode(encoding)))) == [SHEN, DU]


@pytest.mark.parametrize("name", ["dump.xml.bz2", "dump.xml"])
def test_bz2_is_told_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    assert list(read_export(export(tmp_path, bz2.compress(WHOLE.encode()), name))) == [SHEN, DU]


def test_the_newest_revision_counts_and_other_namespaces_do_not(tmp_path: Path) -> None:
    revisions = "<revision><text>旧</text></revision><revision><text>新</text></revision>"
    talk = PAGE.format("讨论:沈灯").replace("<ns>0", "<ns>1")
    text = f"<mediawiki>{talk}<page><title>沈灯</title><ns>0</ns>{revisions}</page></mediawiki>"
    assert list(read_export(export(tmp_path, text.encode()))) == [ExportPage("沈灯", "新")]


@pytest.mark.parametrize("lost", [1, 5, 12, 40])
def test_an_export_cut_off_gives_its_whole_pages_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lost: int
) -> None:
    path = export(tmp_path, WHOLE.encode()[:-lost])
    assert list(read_export(path)) == ([SHEN, DU] if lost < 13 else [SHEN])
    [message] = caplog.messages
    assert "dump.xml' breaks off at line" in message and "export again for the rest" in message


def test_bz2_cut_off_gives_what_could_be_unpacked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "dump.xml.bz2"
    wiki_export.write_dump(path, megabytes=2)
    path.write_bytes(path.read_bytes()[:-20])
    assert len(list(read_export(path))) > 100
    assert "Compressed file ended" in caplog.text


@pytest.mark.parametrize(
    "data", [b"", b"BZh", b"\x00\x01\x02", b"{}", WHOLE.encode()[:90], b"<html></html>"]
)
def test_a_file_without_a_whole_page_is_an_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(
        WikiError,
        match=r"dump\.xml' holds no whole page of a MediaWiki export .*export the pages again",
    ) as caught:
        list(read_export(export(tmp_path, data)))
    assert "\n" not in str(caught.value)


def test_entities_inside_entities_are_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 30))
    text = f'<!DOCTYPE bomb [<!ENTITY a0 "灯">{entities}]>' + WHOLE.replace("灯匠", "&a29;")
    with pytest.raises(WikiError, match=r"declares a document type \('bomb'\)"):
        list(read_export(export(tmp_path, text.encode())))


def test_a_page_beyond_any_wiki_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = WHOLE.replace("沈灯是", "灯" * 8_000_001)
    assert list(read_export(export(tmp_path, text.encode()))) == [DU]
    assert "page '沈灯' in" in caplog.text and "split it" in caplog.text


def test_memory_stays_flat(tmp_path: Path) -> None:
    grown = [
        wiki_export.measure(tmp_path / f"{size}.xml", megabytes=size).peak_growth_mb
        for size in (1, 8)
    ]
    assert grown[1] - grown[0] < 4


@pytest.mark.heavy
def test_200_megabytes_in_flat_memory(tmp_path: Path) -> None:
    command = [
        sys.executable,
        wiki_export.__file__,
        "--megabytes",
        "200",
        "--folder",
        str(tmp_path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    summary = re.fullmatch(
        r"200 MB, \d+ pages in \d+ s, peak (\d+) MB", result.stdout.splitlines()[-1]
    )
    assert summary and int(summary[1]) < 300


def test_a_packed_file_that_fills_a_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml.bz2"
    packer = bz2.BZ2Compressor()
    with path.open("wb") as file:
        file.write(packer.compress(b"<mediawiki><page><title>x</title><text>"))
        for _ in range(80):
            file.write(packer.compress(b"a" * 1_000_000))
        file.write(packer.flush())
    with pytest.raises(WikiError, match="more than 64 MB"):
        list(read_export(path))
