"""The library of worlds: listed, made, renamed, copied, thrown away, packed and unpacked."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
import tiny

from roleplay.errors import BusyError, WorldError
from roleplay.stages import jobs, knowledge
from roleplay.stages.archive import Limits, pack, unpack
from roleplay.stages.library import Library
from roleplay.world import World

ADAPTER = {
    "kind": "lora",
    "base": {
        "name": "m",
        "model_type": "llama",
        "hidden_size": 4,
        "num_hidden_layers": 1,
        "vocab_size": 9,
    },
}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    tiny.write_world(tmp_path / "worlds" / "toy")
    adapter = tmp_path / "checkpoints" / "toy-m-lora"
    adapter.mkdir(parents=True)
    (adapter / "adapter.json").write_text(json.dumps(ADAPTER | {"world": "toy"}), "utf-8")
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    (adapter / "pytorch_model.bin").write_bytes(b"pickle")
    return Library(tmp_path / "worlds", tmp_path / "checkpoints")


def test_a_tile_says_what_is_there(library: Library) -> None:
    [tile] = library.tiles()
    assert (tile.title, tile.characters) == ("灯与船", ("阿灯", "小舟"))
    assert tile.done == {"novel", "speakers", "train"}
    assert tile.size > 100 and not tile.shipped


def test_the_shipped_world_is_first_and_the_internal_one_hidden() -> None:
    tiles = Library().tiles()
    assert tiles[0].name == "chuiyan" and tiles[0].shipped
    assert "start" not in [tile.name for tile in tiles]


def test_a_broken_world_is_listed_with_its_problem(library: Library) -> None:
    (library.worlds / "bad").mkdir()
    (library.worlds / "bad" / "world.json").write_text("{", "utf-8")
    [bad] = [tile for tile in library.tiles() if tile.name == "bad"]
    assert bad.problem is not None and "not JSON" in bad.problem.text("en")


@pytest.mark.parametrize(
    ("title", "name"),
    [("第十三场雨", "第十三场雨"), ("../../etc", "etc"), ("灯/船？", "灯-船"), ("!!!", "world")],
)
def test_a_new_world_has_a_plain_folder_name(library: Library, title: str, name: str) -> None:
    assert library.new(title) == name
    assert library.new(title) == f"{name}-2"
    assert World.load(library.worlds / name).info.title == title


@pytest.mark.parametrize("title", ["", "  ", "长" * 61])
def test_a_title_is_short_and_not_empty(library: Library, title: str) -> None:
    with pytest.raises(WorldError, match="a title has 1 to 60 letters"):
        library.new(title)


def test_renaming_keeps_the_folder_and_with_it_the_adapters(library: Library) -> None:
    library.rename("toy", "灯")
    [tile] = library.tiles()
    assert (tile.name, tile.title) == ("toy", "灯") and "train" in tile.done


def test_a_copy_has_no_jobs_and_no_adapters(library: Library) -> None:
    (library.worlds / "toy" / jobs.FOLDER).mkdir()
    name = library.copy("toy")
    assert not (library.worlds / name / jobs.FOLDER).exists()
    assert library.tile(name).title == "灯与船 (2)"
    assert library.done(name) == {"novel", "speakers"}


def test_what_is_deleted_is_taken_back(library: Library) -> None:
    ticket = library.delete("toy")
    assert library.tiles() == [] and [one.title for one in library.trash()] == ["灯与船"]
    assert library.restore(ticket) == "toy"
    assert library.trash() == [] and library.names() == ["toy"]


def test_what_is_taken_back_gives_way_to_a_newer_one_of_its_name(library: Library) -> None:
    ticket = library.delete("toy")
    tiny.write_world(library.worlds / "toy")
    assert library.restore(ticket) == "toy-2"


@pytest.mark.parametrize("ticket", ["../toy", "", "20260101-000000-toy"])
def test_nothing_is_restored_that_is_not_in_the_trash(library: Library, ticket: str) -> None:
    with pytest.raises(WorldError, match="no longer in the trash"):
        library.restore(ticket)


def test_an_emptied_trash_gives_nothing_back(library: Library) -> None:
    library.delete("toy")
    library.empty_trash()
    assert library.trash() == []


def test_a_world_at_work_is_not_deleted(library: Library) -> None:
    world = library.worlds / "toy"
    (world / "wiki").mkdir()
    os.mkfifo(world / "wiki" / "never.md")
    job = jobs.start("knowledge", knowledge.Settings(world=world))
    with pytest.raises(BusyError, match="knowledge has been running in toy"):
        library.delete("toy")
    jobs.stop(job)
    jobs.wait(job)


@pytest.mark.parametrize("name", ["../toy", "nobody", ".trash", ""])
def test_only_worlds_that_are_listed_are_touched(library: Library, name: str) -> None:
    for act in (library.delete, library.copy, library.path):
        with pytest.raises(WorldError, match="no world folder"):
            act(name)


def test_a_world_comes_back_out_of_its_zip_with_its_adapter(
    library: Library, tmp_path: Path
) -> None:
    path = pack(library, "toy", tmp_path / "toy.zip")
    names = zipfile.ZipFile(path).namelist()
    assert "world/world.json" in names and not any(name.endswith(".bin") for name in names)
    other = Library(tmp_path / "other", tmp_path / "elsewhere")
    name = unpack(other, path)
    assert other.tile(name).title == "灯与船"
    assert other.done(name) == {"novel", "speakers", "train"}
    again = unpack(other, path)
    assert list(other.adapters(again)) == ["toy-m-lora-2"]


def test_a_zip_of_a_folder_is_taken_too(library: Library, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for path in (library.worlds / "toy").iterdir():
            packed.write(path, f"my world/{path.name}")
    name = unpack(library, tmp_path / "a.zip")
    assert library.tile(name).characters == ("阿灯", "小舟")


def _zip(path: Path, members: dict[str, bytes], **kind: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("world/world.json", json.dumps({"title": "x"}))
        for name, data in members.items():
            packed.writestr(zipfile.ZipInfo(name) if not kind else _info(name, **kind), data)
    return path


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("world/../../evil.json", "a member that no world has"),
        ("/etc/evil.json", "a member that no world has"),
        ("world\\..\\evil.json", "a member that no world has"),
        ("world/" + "a/" * 20 + "x.json", "a member that no world has"),
    ],
)
def test_a_path_that_leads_out_is_refused(
    library: Library, tmp_path: Path, name: str, told: str
) -> None:
    with pytest.raises(WorldError, match=told):
        unpack(library, _zip(tmp_path / "e.zip", {name: b"{}"}))
    assert library.names() == ["toy"] and not list(tmp_path.rglob("evil.json"))
    assert not list(library.worlds.glob(".incoming-*"))


def test_links_and_programs_stay_outside(library: Library, tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="a member that no world has"):
        unpack(library, _zip(tmp_path / "l.zip", {"world/a.txt": b"/etc"}, mode=0o120777))
    members = {"world/a.py": b"1", "world/b.bin": b"1", "world/c.txt": b"1", "world/.d.txt": b""}
    name = unpack(library, _zip(tmp_path / "p.zip", members))
    assert {path.name for path in (library.worlds / name).iterdir()} == {"world.json", "c.txt"}


def test_a_bomb_is_refused_before_it_is_written(library: Library, tmp_path: Path) -> None:
    bomb = _zip(tmp_path / "b.zip", {"world/a.txt": bytes(3_000_000)})
    with pytest.raises(WorldError, match="unpacks to 3 MB, at most 1 MB"):
        unpack(library, bomb, Limits(size=1_000_000))
    with pytest.raises(WorldError, match="the zip has 2 files, at most 1"):
        unpack(library, bomb, Limits(members=1))


def test_a_table_that_lies_about_sizes_does_not_help_a_bomb(
    library: Library, tmp_path: Path
) -> None:
    bomb = _zip(tmp_path / "b.zip", {"world/a.txt": bytes(3_000_000)})
    size, lie = (3_000_000).to_bytes(4, "little"), (9).to_bytes(4, "little")
    bomb.write_bytes(bomb.read_bytes().replace(size, lie))
    with pytest.raises(WorldError, match="is no zip, or it is damaged"):
        unpack(library, bomb, Limits(size=1_000_000))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"text"])
def test_what_is_no_zip_is_told(library: Library, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "n.zip").write_bytes(data)
    with pytest.raises(WorldError, match=r"n\.zip is no zip"):
        unpack(library, tmp_path / "n.zip")


def test_a_zip_without_a_world_is_told(library: Library, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "n.zip", "w") as packed:
        packed.writestr("a.txt", "b")
    with pytest.raises(WorldError, match=r"there is no world\.json"):
        unpack(library, tmp_path / "n.zip")
