"""Outputs appear together or not at all: killed at any moment, two runs at once, a full disk."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import tiny

from roleplay import files
from roleplay.world import World
from scripts import distill_dialogues, import_old_data, prepare_seq2seq_training, train_roleplaying
from tests import children
from tests.roleplay.distill.loopback import Reply, serve

KILLING = Path(__file__).with_name("killing.py")
NOVEL = "第一章 雨\n闻筝说：“漏了。”\n铜婆说：“哟。”\n" * 5
DONE = "nothing changed"
FINER = ["--max-chars", "9"]
SHORTER = ["--scene-tokens", "30"]

Main = Callable[[list[str]], int]
Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def novel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("novels") / "雨.txt"
    path.write_text(NOVEL, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory, novel: Path) -> Path:
    path = tmp_path_factory.mktemp("worlds") / "mine"
    assert distill_dialogues.main(["--world", str(path), "--novel", str(novel)]) == 0
    return path


@pytest.fixture
def world(distilled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(distilled, tmp_path / "mine"))


@pytest.fixture(scope="module")
def kills(distilled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all worlds in which distilling with ``FINER`` settings was killed."""
    folder = tmp_path_factory.mktemp("kills")
    kill_everywhere("distill", distilled, folder, *FINER)
    return folder


@pytest.fixture
def killed(kills: Path, tmp_path: Path) -> tuple[Path, list[Path]]:
    """The world after a whole run, and after each kill; a test may change them."""
    return in_order(Path(shutil.copytree(kills, tmp_path / "kills")))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, gemma_folder: Path) -> Path:
    path = tiny.write_world(tmp_path_factory.mktemp("worlds") / "toy")
    assert prepare_seq2seq_training.main(prepare(path, gemma_folder)) == 0
    return path


def prepare(world: Path, model: Path, *more: str) -> list[str]:
    flags = ["--world", str(world), "--model", str(model), "--protection", "0"]
    return [*flags, "--scene-tokens", "40", *more]


def kill_everywhere(stage: str, world: Path, folder: Path, *flags: str) -> tuple[Path, list[Path]]:
    """What a whole run makes of the world, and what is left of it after each kill."""
    command = [sys.executable, str(KILLING), stage, str(world), str(folder), *flags]
    subprocess.run(command, env=children.environment(), stdout=subprocess.DEVNULL, check=True)
    return in_order(folder)


def in_order(folder: Path) -> tuple[Path, list[Path]]:
    whole, *killed = sorted(folder.iterdir(), key=lambda path: int(path.name))
    assert len(killed) >= 10
    return whole, killed


def outputs(world: Path, stage: str) -> dict[str, bytes]:
    """Name -> content of what the manifest names, and it is so; nothing else is left over."""
    made = files.read_json(world / f"{stage}.manifest.json")["outputs"]
    found = {name: (world / name).read_bytes() for name in made}
    assert {name: files.digest(data) for name, data in found.items()} == made
    assert list(world.rglob(".*")) == []
    return found


def is_decided(world: Path, whole: Path, stage: str) -> bool:
    """Whether the killed run had made all of its outputs."""
    made = world / f"{stage}.manifest.json"
    is_new = made.exists() and files.read_json(made) == files.read_json(whole / made.name)
    return is_new or (world / f".{stage}.pending.json").exists()


def check_next_run(
    main: Main, flags: list[str], world: Path, whole: Path, stage: str, capsys: Out
) -> bool:
    """The same command makes what a whole run makes; whether there was nothing left to do."""
    decided = is_decided(world, whole, stage)
    capsys.readouterr()
    assert main(["--world", str(world), *flags]) == 0, f"killed before change {world.name}"
    assert (DONE in capsys.readouterr().out) == decided
    assert outputs(world, stage) == outputs(whole, stage)
    assert main(["--world", str(world), *flags]) == 0
    assert DONE in capsys.readouterr().out
    return decided


def test_killed_at_any_change_the_old_script_or_the_new_one_stays(
    distilled: Path, killed: tuple[Path, list[Path]], capsys: Out
) -> None:
    whole, paths = killed
    before, after = outputs(distilled, "distill"), outputs(whole, "distill")
    assert set(after) == set(before) and after["script.jsonl"] != before["script.jsonl"]
    for path in paths:
        for name in after:
            assert (path / name).read_bytes() in (before[name], after[name])
    run = (distill_dialogues.main, FINER)
    decided = [check_next_run(*run, path, whole, "distill", capsys) for path in paths]
    assert decided == sorted(decided) and {*decided} == {False, True}


def test_killed_while_a_world_is_made_it_is_made_by_the_next_run(
    novel: Path, tmp_path: Path, capsys: Out
) -> None:
    flags = ["--novel", str(novel)]
    whole, killed = kill_everywhere("distill", tmp_path / "none", tmp_path / "killed", *flags)
    for path in killed:
        check_next_run(distill_dialogues.main, flags, path, whole, "distill", capsys)
        assert World.load(path).names == ["闻筝", "铜婆"]


def test_killed_once_more_while_the_first_commit_is_finished(
    killed: tuple[Path, list[Path]], tmp_path: Path, capsys: Out
) -> None:
    whole, paths = killed
    half = next(path for path in paths if (path / ".distill.pending.json").exists())
    _, again = kill_everywhere("distill", half, tmp_path / "again", *FINER)
    for path in again:
        assert check_next_run(distill_dialogues.main, FINER, path, whole, "distill", capsys)


def test_after_a_kill_another_command_takes_the_script_for_its_own(
    killed: tuple[Path, list[Path]],
) -> None:
    for path in killed[1]:
        assert distill_dialogues.main(["--world", str(path), "--max-chars", "20"]) == 0
        outputs(path, "distill")


def test_killed_at_any_change_the_data_is_prepared_by_the_next_run(
    prepared: Path, gemma_folder: Path, tmp_path: Path, capsys: Out
) -> None:
    flags = prepare(prepared, gemma_folder, *SHORTER)[2:]
    whole, killed = kill_everywhere("dataset", prepared, tmp_path, *flags)
    before, after, name = (
        outputs(prepared, "dataset"),
        outputs(whole, "dataset"),
        "train.passages.jsonl",
    )
    assert before[name] != after[name] and {"train.json", "report/dataset.png"} < set(after)
    for path in killed:
        check_next_run(prepare_seq2seq_training.main, flags, path, whole, "dataset", capsys)


def test_killed_while_old_data_is_imported_the_next_run_finishes_it(
    tmp_path: Path, capsys: Out
) -> None:
    content = tmp_path / "all_content.json"
    rows = [[{"char": "小舟", "say": f"第{n}句话。"}, {"info": f"第{n}场雨。"}] for n in range(45)]
    content.write_text(json.dumps(rows), encoding="utf-8")
    flags = ["--content", str(content)]
    whole, killed = kill_everywhere("legacy", tmp_path / "none", tmp_path / "kills", *flags)
    for path in killed:
        made = (".distill.pending.json", "distill.manifest.json")
        decided = any((path / name).exists() for name in made)
        assert import_old_data.main(["--world", str(path), *flags]) == (2 if decided else 0)
        assert ("is there already" in capsys.readouterr().err) == decided
        assert set(outputs(path, "distill")) == set(outputs(whole, "distill"))


def test_an_edited_script_is_kept_unless_force_is_given(world: Path, capsys: Out) -> None:
    script, flags = world / "script.jsonl", ["--world", str(world)]
    edited = script.read_text(encoding="utf-8").replace("铜婆", "咕噜")
    script.write_text(edited, encoding="utf-8")
    for more in ([], FINER):
        assert distill_dialogues.main([*flags, *more]) == 2
        told = "was not written by this stage, or was edited since"
        assert told in capsys.readouterr().err
        assert script.read_text(encoding="utf-8") == edited
    assert distill_dialogues.main([*flags, "--force"]) == 0
    assert "咕噜" not in script.read_text(encoding="utf-8")
    assert distill_dialogues.main(flags) == 0
    assert DONE in capsys.readouterr().out


def test_a_script_of_an_earlier_version_is_our_own(world: Path) -> None:
    (world / "distill.manifest.json").unlink()
    for name in ("script.jsonl", "chunks.jsonl"):
        files.write_json(world / f"{name}.meta.json", {"format": 1, "stage": "distill"})
    assert distill_dialogues.main(["--world", str(world)]) == 0
    assert list(world.glob("*.meta.json")) == []
    outputs(world, "distill")


def test_an_output_that_was_removed_is_made_again(world: Path, capsys: Out) -> None:
    (world / "report" / "distill.json").unlink()
    assert distill_dialogues.main(["--world", str(world)]) == 0
    assert DONE not in capsys.readouterr().out.splitlines()[-1]
    assert "report/distill.json" in outputs(world, "distill")


@contextmanager
def at_work(folder: Path, stage: str, *command: object) -> Iterator[subprocess.Popen[bytes]]:
    """A run of a script that has claimed the folder."""
    process = subprocess.Popen(
        children.command(*map(str, command)),
        env=children.environment(OMP_NUM_THREADS="1"),
        stdout=subprocess.DEVNULL,
    )
    try:
        while not (folder / f".{stage}.lock.json").exists():
            assert process.poll() is None, "the first run ended before the second began"
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.wait()


def check_busy(main: Main, flags: list[str], stage: str, first: int, capsys: Out) -> None:
    """The second run ends with one line that says who is at work."""
    capsys.readouterr()
    assert main(flags) == 2
    told = capsys.readouterr().err
    who = rf"process {first}, since [-\d]+ [:\d]+"
    line = rf"error: another run of {stage} is at work in \S+ \({who}\): wait for it, or stop it\n"
    assert re.fullmatch(line, told), told


# A run without one label would end with status 2.
LABELS = Reply("".join(f'{{"n": {n}, "kind": "narration"}}' for n in range(1, 10)))


def test_two_distil_one_world(world: Path, capsys: Out) -> None:
    may_answer = Event()

    def answer(body: dict[str, Any]) -> Reply:
        may_answer.wait()
        return LABELS

    with serve(answer) as server:
        flags = ["--world", str(world), "--backend", server.url, "--model", "m"]
        with at_work(world, "distill", "distill_dialogues", *flags) as first:
            second = ["--world", str(world)]
            check_busy(distill_dialogues.main, second, "distill", first.pid, capsys)
            may_answer.set()
            assert first.wait() == 0
    outputs(world, "distill")


def test_two_prepare_one_world(
    prepared: Path, gemma_folder: Path, tmp_path: Path, capsys: Out
) -> None:
    """The first waits for its interviews in a pipe that nobody has filled yet."""
    path = tmp_path / "toy"
    shutil.copytree(prepared, path)
    interviews, pipe = path / "interviews.jsonl", tmp_path / "pipe"
    os.mkfifo(pipe)
    whole = interviews.rename(tmp_path / "interviews.jsonl")
    pipe.rename(interviews)
    flags = prepare(path, gemma_folder, *SHORTER)
    with at_work(path, "dataset", "prepare_seq2seq_training", *flags) as first:
        check_busy(prepare_seq2seq_training.main, flags, "dataset", first.pid, capsys)
        with interviews.open("wb") as stream:
            stream.write(whole.read_bytes())
            whole.replace(interviews)  # before the pipe ends: it is read once
        assert first.wait() == 0
    outputs(path, "dataset")


def test_two_train_into_one_folder(
    prepared: Path, gemma_folder: Path, tmp_path: Path, capsys: Out
) -> None:
    flags = ["--world", str(prepared), "--model", str(gemma_folder), "--output-dir", str(tmp_path)]
    flags += ["--max-steps", "100000", "--batch", "1", "--samples", "0", "--general-rows", "0"]
    with at_work(tmp_path, "training", "train_roleplaying", *flags) as first:
        check_busy(train_roleplaying.main, flags, "training", first.pid, capsys)
        first.send_signal(signal.SIGINT)
        assert first.wait() == 130
    assert list(tmp_path.glob(".*")) == []


def limited(script: str, flags: list[str], *, disk: int) -> str:
    """The one line of a run that ends with 2 on a full disk."""
    ended = subprocess.run(
        children.command(script, *flags, disk=disk),
        env=children.environment(),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2, ended.stderr
    return ended.stderr.splitlines()[-1]


def test_a_full_disk_leaves_the_world_as_it_was_and_keeps_what_was_paid(
    novel: Path, tmp_path: Path
) -> None:
    """The ledger is small enough, the chunks are not."""
    path = tmp_path / "mine"
    long = tmp_path / "long.txt"
    long.write_text(
        "".join(f"第{n}章\n{'雨下了一夜。' * 150}\n" for n in "一二三四"), encoding="utf-8"
    )
    assert distill_dialogues.main(["--world", str(path), "--novel", str(long)]) == 0
    before = outputs(path, "distill")
    with serve(lambda body: LABELS) as server:
        flags = ["--world", str(path), "--backend", server.url, "--model", "m", *FINER]
        told = limited("distill_dialogues", flags, disk=8000)
        assert told.startswith("error: cannot write ") and "chunks.jsonl" in told
        assert outputs(path, "distill") == before
        paid, asked = len(list(files.read_jsonl(path / "ledger.jsonl"))), len(server.requests)
        assert paid > 0 and distill_dialogues.main(flags) == 0
        assert len(server.requests) == asked
    assert len(list(files.read_jsonl(path / "ledger.jsonl"))) == paid


def test_a_full_disk_leaves_the_data_as_it_was(prepared: Path, gemma_folder: Path) -> None:
    before = outputs(prepared, "dataset")
    told = limited("prepare_seq2seq_training", prepare(prepared, gemma_folder, *SHORTER), disk=1000)
    assert told.startswith("error: cannot write ") and "dataset.json" in told
    assert outputs(prepared, "dataset") == before
