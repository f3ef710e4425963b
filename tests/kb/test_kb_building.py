"""A build that is killed, and two builds at once."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kb.errors import IndexBusyError
from kb.index import Parts, build_index, build_lock, load_index
from kb.snippets import make_snippet

MANY = [make_snippet("沈灯", f"第{n}盏灯。") for n in range(1500)]
CHILD = """
import sys, time
sys.path[:0] = [{root!r}, {here!r}]
from conftest import HashEmbedder
from kb.index import build_index
from test_kb_building import MANY

def step(done, total):
    if done > 1100:
        print("far enough", flush=True)
        time.sleep(60)

build_index({folder!r}, MANY, HashEmbedder(), on_progress=step)
"""


@pytest.fixture
def building(tmp_path: Path):
    """A process in the middle of building tmp_path/kb, 1,024 of 1,500 vectors on disk."""
    here = Path(__file__).parent
    code = CHILD.format(root=str(here.parents[1]), here=str(here), folder=str(tmp_path / "kb"))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "far enough\n"
    yield process
    process.kill()
    process.wait()


def test_a_build_ended_by_kill_9_goes_on_where_it_was(tmp_path: Path, building, embedder) -> None:
    building.send_signal(signal.SIGKILL)
    building.wait()
    report = build_index(tmp_path / "kb", MANY, embedder)
    assert (report.total, report.embedded) == (1500, 1500 - 1024)
    assert np.allclose(
        load_index(tmp_path / "kb").vectors[0], embedder.encode([MANY[0].embedded])[0]
    )
    assert [file.name for file in tmp_path.iterdir()] == ["kb"]


def test_two_builds_at_once_are_refused_in_one_line(tmp_path: Path, building, embedder) -> None:
    with pytest.raises(
        IndexBusyError, match=r"another process is building '.*kb' .*: wait for it, or stop it"
    ) as caught:
        build_index(tmp_path / "kb", MANY, embedder)
    assert "\n" not in str(caught.value)


def test_the_lock_ends_with_the_build(tmp_path: Path) -> None:
    for _ in range(2):
        with build_lock(tmp_path / "kb"):
            assert (tmp_path / "kb.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_parts_are_written_once_each(tmp_path: Path, embedder) -> None:
    parts = Parts(tmp_path / "kb", embedder)
    parts.add(["a"], embedder.encode(["甲"]))
    first = (parts.folder / "00000.npz").stat()
    parts.add(["b"], embedder.encode(["乙"]))
    assert (parts.folder / "00000.npz").stat().st_mtime_ns == first.st_mtime_ns
    assert parts.read().keys() == {"a", "b"}


def test_a_damaged_part_is_passed_over(tmp_path: Path, embedder) -> None:
    parts = Parts(tmp_path / "kb", embedder)
    parts.add(["a"], embedder.encode(["甲"]))
    parts.add(["b"], embedder.encode(["乙"]))
    (parts.folder / "00000.npz").write_bytes(b"PK\x03\x04half")
    assert parts.read().keys() == {"b"}


def test_parts_of_another_embedder_are_not_used(tmp_path: Path, embedder, make_embedder) -> None:
    Parts(tmp_path / "kb", embedder).add(["a"], embedder.encode(["甲"]))
    other = Parts(tmp_path / "kb", make_embedder("other"))
    assert other.read() == {}
    other.add(["b"], embedder.encode(["乙"]))
    assert other.read().keys() == {"b"}
