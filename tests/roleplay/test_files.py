"""Files: whole or not there, errors that name the line, and whether a stage is done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay import files
from roleplay.errors import BusyError, WorldError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
SETTINGS = {"max_chars": 1200, "genders": {"闻筝": "f"}, "names": ("闻筝",)}


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """A folder in which the stage distill wrote two files."""
    with files.commit(tmp_path, "distill", settings=SETTINGS, inputs="abc") as staged:
        files.write_jsonl(staged / "chunks.jsonl", [{"id": 0}])
        files.write_text(staged / "report" / "distill.md", "# Report")
    return tmp_path


@given(st.lists(JSON, max_size=4))
def test_json_lines_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    files.write_jsonl(path, rows)
    assert list(files.read_jsonl(path)) == rows


def test_chinese_is_written_as_it_is(tmp_path: Path) -> None:
    files.write_json(tmp_path / "deep" / "world.json", {"title": "第十三场雨"})
    assert (tmp_path / "deep" / "world.json").read_text(
        encoding="utf-8"
    ) == '{\n  "title": "第十三场雨"\n}\n'


def test_the_old_file_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "novel.txt"
    files.write_text(path, "晨醒雨")
    with pytest.raises(TypeError):
        files.write_bytes(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_text(encoding="utf-8") == "晨醒雨"
    assert [file.name for file in tmp_path.iterdir()] == ["novel.txt"]


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "novel.txt"
    files.write_text(path, "晨醒雨")
    with path.open(encoding="utf-8") as old:
        files.write_text(path, "半糖雨，比从前长")
        assert old.read() == "晨醒雨"
    assert path.read_text(encoding="utf-8") == "半糖雨，比从前长"


def test_rows_that_break_off_leave_the_old_file(done: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        files.write_jsonl(done / "chunks.jsonl", [{"id": 1}, {"id": object()}])
    assert list(files.read_jsonl(done / "chunks.jsonl")) == [{"id": 0}]


def test_a_folder_in_the_way_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "novel.txt" / "inner").mkdir(parents=True)
    with pytest.raises(WorldError, match=r"cannot write .*novel\.txt \(it is a folder\)"):
        files.write_text(tmp_path / "novel.txt", "晨醒雨")
    assert [file.name for file in tmp_path.iterdir()] == ["novel.txt"]


def test_a_broken_row_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('{"info": "雨"}\n\n{"info": \n', encoding="utf-8")
    with pytest.raises(
        WorldError, match=r"script\.jsonl: not JSON at line 3 \(.*\): mend or remove it"
    ):
        list(files.read_jsonl(path))


def test_broken_json_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text('{\n "title": 雨\n}', encoding="utf-8")
    with pytest.raises(WorldError, match=r"world\.json: not JSON at line 2"):
        files.read_json(tmp_path / "world.json")


def test_another_encoding_is_refused_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_bytes('{"title": "雨"}'.encode("gb18030"))
    with pytest.raises(WorldError, match=r"is not UTF-8 \(byte 11\): save it as UTF-8"):
        files.read_json(tmp_path / "world.json")


def test_a_mark_of_the_byte_order_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_bytes(b'\xef\xbb\xbf{"title": "x"}')
    assert files.read_json(tmp_path / "world.json") == {"title": "x"}
    assert files.read_text(tmp_path / "world.json").startswith("{")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"none\.json is missing"):
        files.read_json(tmp_path / "none.json")


def test_the_same_settings_and_input_are_done(done: Path) -> None:
    assert files.is_done(done, "distill", settings=SETTINGS, inputs="abc")
    assert not list(done.glob(".*"))


@pytest.mark.parametrize(
    ("settings", "inputs"), [({"max_chars": 900}, "abc"), (SETTINGS, "abd"), ({}, "abc")]
)
def test_other_settings_or_input_are_not_done(
    done: Path, settings: dict[str, object], inputs: str
) -> None:
    assert not files.is_done(done, "distill", settings=settings, inputs=inputs)


@pytest.mark.parametrize("name", ["chunks.jsonl", "report/distill.md", "distill.manifest.json"])
def test_without_an_output_or_the_manifest_nothing_is_done(done: Path, name: str) -> None:
    (done / name).unlink()
    assert not files.is_done(done, "distill", settings=SETTINGS, inputs="abc")


def test_an_edited_output_is_neither_done_nor_ours(done: Path) -> None:
    assert files.is_ours(done, "distill", "chunks.jsonl")
    files.write_jsonl(done / "chunks.jsonl", [{"id": 7}])
    assert not files.is_ours(done, "distill", "chunks.jsonl")
    assert not files.is_done(done, "distill", settings=SETTINGS, inputs="abc")


def test_what_earlier_versions_noted_is_still_ours(tmp_path: Path) -> None:
    files.write_text(tmp_path / "script.jsonl", "")
    files.write_json(tmp_path / "script.jsonl.meta.json", {"stage": "distill"})
    assert files.is_ours(tmp_path, "distill", "script.jsonl")
    assert not files.is_ours(tmp_path, "dataset", "script.jsonl")


def test_a_commit_that_breaks_off_leaves_nothing(done: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        files.commit(done, "distill", settings={}, inputs="") as staged,
    ):
        files.write_text(staged / "chunks.jsonl", "new")
        raise ZeroDivisionError
    assert files.is_done(done, "distill", settings=SETTINGS, inputs="abc")
    assert not list(done.glob(".*"))


def test_of_two_claims_the_second_says_who_is_busy(tmp_path: Path) -> None:
    with files.claim(tmp_path, "distill"):
        with pytest.raises(BusyError, match="another run of distill is at work in .* since 20"):
            files.claim(tmp_path, "distill").__enter__()
        with files.claim(tmp_path, "dataset"):
            pass
    with files.claim(tmp_path, "distill"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_claim_sweeps_what_a_killed_run_left(done: Path) -> None:
    (done / ".script.jsonl.abc.tmp").touch()
    (done / ".script.jsonl.999999999.abc.tmp").touch()
    (done / ".distill.new").mkdir()
    with files.claim(done, "distill"):
        assert sorted(path.name for path in done.glob(".*")) == [
            ".distill.lock",
            ".distill.lock.json",
        ]


def test_the_digest_keeps_parts_apart() -> None:
    assert files.digest("雨", "钟") == files.digest("雨".encode(), "钟")
    assert len({files.digest("雨", "钟"), files.digest("雨钟"), files.digest("雨钟", "")}) == 3


def test_what_a_living_process_is_writing_is_left_alone(done: Path) -> None:
    (done / f".world.json.{os.getpid()}.abc.tmp").touch()
    with files.claim(done, "distill"):
        assert len(list(done.glob("*.tmp")) + list(done.glob(".*.tmp"))) >= 1


def test_a_reader_finishes_what_a_killed_commit_began(done: Path) -> None:
    with files.commit(done, "distill", settings={}, inputs="new") as staged:
        files.write_text(staged / "chunks.jsonl", "new")
    # As it stands between the pending manifest and the moves.
    (done / "distill.manifest.json").replace(done / ".distill.pending.json")
    (done / ".distill.new").mkdir()
    (done / "chunks.jsonl").replace(done / ".distill.new" / "chunks.jsonl")
    pending = files.read_json(done / ".distill.pending.json")
    files.write_json(done / ".distill.pending.json", pending | {"before": {"chunks.jsonl": ""}})
    files.settle(done)
    assert (done / "chunks.jsonl").read_text(encoding="utf-8") == "new"
    assert files.is_done(done, "distill", settings={}, inputs="new")


def test_an_edit_between_a_kill_and_its_recovery_is_kept(done: Path) -> None:
    (done / ".distill.new").mkdir()
    files.write_text(done / ".distill.new" / "chunks.jsonl", "new")
    made = {"outputs": {"chunks.jsonl": files.digest("new")}, "before": {"chunks.jsonl": "other"}}
    files.write_json(done / ".distill.pending.json", made)
    files.settle(done)
    assert list(files.read_jsonl(done / "chunks.jsonl")) == [{"id": 0}]
    assert not files.is_ours(done, "distill", "chunks.jsonl")
