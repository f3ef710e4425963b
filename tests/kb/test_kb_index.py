"""The index folder: complete, incremental, and whole after a kill."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kb.errors import EmbedderError, EmbedderMismatchError, IndexFileError, KnowledgeBaseError
from kb.index import BuildReport, IndexMeta, VectorIndex, build_index, load_index, read_meta
from kb.snippets import Snippet, make_snippet


@pytest.fixture
def folder(tmp_path: Path, snippets: list[Snippet], embedder: object) -> Path:
    build_index(tmp_path / "kb", snippets, embedder)
    return tmp_path / "kb"


def test_round_trip(folder: Path, snippets: list[Snippet], embedder) -> None:
    index = load_index(folder, embedder_name="hash")
    assert index.snippets == snippets
    assert np.allclose(index.vectors, embedder.encode([snippet.embedded for snippet in snippets]))


def test_folder_holds_three_files_and_nothing_is_left_beside_it(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == {
        "snippets.jsonl",
        "vectors.npy",
        "meta.json",
    }
    assert [file.name for file in folder.parent.iterdir()] == ["kb"]


def test_nearest_finds_the_snippet_itself(folder: Path) -> None:
    index = load_index(folder)
    assert index.nearest(index.vectors[2], 99)[0] == 2


def test_rebuild_embeds_only_what_changed(folder: Path, snippets: list[Snippet], embedder) -> None:
    embedder.seen.clear()
    changed = [*snippets[1:], make_snippet("杜若", "杜若的猫走丢了。")]
    assert build_index(folder, changed, embedder) == BuildReport(total=5, embedded=1, reused=4)
    assert embedder.seen == ["杜若：杜若的猫走丢了。"]
    assert load_index(folder).snippets == changed


def test_the_chapters_of_the_snippets_stand_in_its_meta(
    folder: Path, snippets: list[Snippet], embedder
) -> None:
    told = [make_snippet("雨", f"第{n}声钟。", chapter=n) for n in (9, 2, 9)]
    build_index(folder, [*snippets, *told], embedder)
    assert read_meta(folder).chapters == (2, 9)


def test_an_index_without_chapters_in_its_meta_is_read(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    del meta["chapters"]
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    assert read_meta(folder).chapters == () and len(load_index(folder).snippets) > 0


def test_another_embedder_embeds_everything_again(
    folder: Path, snippets: list[Snippet], make_embedder: Callable
) -> None:
    assert build_index(folder, snippets, make_embedder("other", 8)).embedded == 5
    assert load_index(folder).meta.dim == 8


def test_progress_counts_new_snippets(tmp_path: Path, embedder) -> None:
    seen: list[tuple[int, int]] = []
    many = [make_snippet("沈灯", f"第{n}盏灯。") for n in range(100)]
    build_index(tmp_path / "kb", many, embedder, on_progress=lambda *step: seen.append(step))
    assert seen == [(64, 100), (100, 100)]


def test_a_wiki_without_text_gives_an_empty_index(tmp_path: Path, embedder) -> None:
    build_index(tmp_path / "kb", [], embedder)
    assert load_index(tmp_path / "kb").nearest(np.zeros(32, dtype=np.float32), 3) == []


def test_a_killed_build_leaves_the_old_index(
    folder: Path, snippets: list[Snippet], embedder
) -> None:
    def kill(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(folder, [make_snippet("新", "新的。")], embedder, on_progress=kill)
    assert load_index(folder).snippets == snippets


def test_vectors_of_a_killed_build_are_used_by_the_next(tmp_path: Path, embedder) -> None:
    many = [make_snippet("沈灯", f"第{n}盏灯。") for n in range(64 * 33)]

    def kill_late(done: int, total: int) -> None:
        if done > 64 * 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path / "kb", many, embedder, on_progress=kill_late)
    assert build_index(tmp_path / "kb", many, embedder).embedded == 64
    assert [file.name for file in tmp_path.iterdir()] == ["kb"]


def test_killed_between_the_two_renames_the_old_index_is_found(
    folder: Path, snippets: list[Snippet], embedder
) -> None:
    folder.rename(folder.with_name("kb.old"))
    folder.with_name("kb.tmp-1").mkdir()
    assert load_index(folder).snippets == snippets
    assert build_index(folder, snippets, embedder).embedded == 0
    assert [file.name for file in folder.parent.iterdir()] == ["kb"]


def test_wrong_embedder_names_both_and_the_command(folder: Path) -> None:
    with pytest.raises(
        EmbedderMismatchError,
        match=r"'hash', not 'bundled'.*build_knowledge_base\.py --world .* --embedder bundled",
    ):
        load_index(folder, embedder_name="bundled")


def test_missing_index_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        IndexFileError, match=r"no knowledge base in .*run python scripts/build_knowledge_base\.py"
    ):
        load_index(tmp_path / "kb")


def test_older_format_is_refused(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    (folder / "meta.json").write_text(json.dumps({**meta, "version": 0}), encoding="utf-8")
    with pytest.raises(
        IndexFileError,
        match="holds format kb-index version 0, this program reads kb-index version 1",
    ):
        load_index(folder)


@pytest.mark.parametrize("name", ["snippets.jsonl", "vectors.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["delete", "empty", "half", "zip"])
def test_damaged_files_are_one_readable_line(folder: Path, name: str, damage: str) -> None:
    file = folder / name
    data = file.read_bytes()
    file.unlink()
    if damage != "delete":
        file.write_bytes(
            {"empty": b"", "half": data[: len(data) // 2], "zip": b"PK\x03\x04" + data}[damage]
        )
    with pytest.raises(
        KnowledgeBaseError, match=r"run python scripts|build the knowledge base again"
    ) as caught:
        load_index(folder)
    assert "\n" not in str(caught.value)


def test_snippets_of_another_build_are_noticed(folder: Path, snippets: list[Snippet]) -> None:
    path = folder / "snippets.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", encoding="utf-8")
    with pytest.raises(IndexFileError, match="not the file the vectors were made from"):
        load_index(folder)


def test_embedder_that_breaks_its_promise_is_refused(
    tmp_path: Path, snippets: list[Snippet], embedder
) -> None:
    class Liar:
        name, dim = "liar", 7
        encode = embedder.encode

    with pytest.raises(EmbedderError, match="'liar' must give 7 numbers"):
        build_index(tmp_path / "kb", snippets, Liar())


@pytest.fixture(scope="module")
def large() -> VectorIndex:
    """More snippets than are compared exactly."""
    vectors = np.random.default_rng(0).standard_normal((20_500, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pages = [make_snippet("塔", f"第{n}层。") for n in range(len(vectors))]
    return VectorIndex(
        pages, vectors, IndexMeta(embedder="x", dim=32, count=len(pages), snippets_sha256="")
    )


def test_a_large_index_finds_nearly_what_an_exact_one_does(large: VectorIndex) -> None:
    found = [large.nearest(large.vectors[n] + large.vectors[n + 1], 10) for n in range(50)]
    exact = [
        np.argsort(-(large.vectors @ (large.vectors[n] + large.vectors[n + 1])))[:10]
        for n in range(50)
    ]
    assert sum(len({*a} & {*b.tolist()}) for a, b in zip(found, exact, strict=True)) >= 470


def test_a_large_index_finds_only_among_the_allowed(large: VectorIndex) -> None:
    among = np.zeros(len(large.snippets), dtype=bool)
    among[[7, 9, 20_400]] = True
    assert sorted(large.nearest(large.vectors[5], 10, among=among)) == [7, 9, 20_400]
