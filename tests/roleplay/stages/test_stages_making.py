"""A novel of two chapters becomes an adapter in one run, and whoever watches sees how far it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from roleplay.adapters.checkpoint import read_info
from roleplay.errors import WorldError
from roleplay.records import Line
from roleplay.stages import jobs, knowledge, making, runs, speakers
from roleplay.stages.progress import Event
from roleplay.world import World

NOVEL = (
    "第一章 灯\n\n"
    + "阿灯说：“灯亮着。”\n小舟说：“船来了。”\n" * 12
    + "\n第二章 船\n\n"
    + "小舟说：“船走了。”\n阿灯说：“灯灭了。”\n" * 12
)
TINY = {"batch": 2, "max_steps": 4, "eval_steps": 2, "log_steps": 1, "warmup_steps": 1}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    (tmp_path / "book.txt").write_text(NOVEL, encoding="utf-8")
    return tmp_path / "book.txt"


def settings(book: Path, gemma_folder: Path, **more: Any) -> making.Settings:
    known = {"novel": book, "model": str(gemma_folder), "length": "short", "run": TINY}
    return making.Settings(
        world=book.parent / "mine", output_dir=book.parent / "adapter", **(known | more)
    )


def test_one_run_makes_all_and_the_next_skips_what_is_done(book: Path, gemma_folder: Path) -> None:
    told: list[Event] = []
    made = making.run(settings(book, gemma_folder), told.append)
    assert made.folder and set(read_info(made.folder).characters) == {"阿灯", "小舟"}
    assert {"distill", "knowledge", "dataset", "training"} <= {event.stage for event in told}
    told.clear()
    making.run(
        settings(book, gemma_folder, novel=None, steps=("distill", "knowledge")), told.append
    )
    assert "distill-stage.done-before" in [event.message.key for event in told]


def test_a_correction_goes_into_the_training_that_comes_after_it(
    book: Path, gemma_folder: Path
) -> None:
    world = book.parent / "mine"
    making.run(settings(book, gemma_folder, steps=("distill",)))
    speakers.assign(world, [i for i in range(4) if _said(world, i)], "铜婆")
    told: list[Event] = []
    making.run(settings(book, gemma_folder, novel=None, steps=("training",)), told.append)
    assert "making.settled" in [event.message.key for event in told]
    assert "铜婆" in [line.char for line in World.load(world).read_script()]


def _said(world: Path, number: int) -> bool:
    return World.load(world).read_script()[number].kind == "say"


def test_a_run_of_another_length_begins_anew(book: Path, gemma_folder: Path) -> None:
    making.run(settings(book, gemma_folder))
    told: list[Event] = []
    longer = settings(book, gemma_folder, novel=None, run=TINY | {"max_steps": 6})
    made = making.run(longer, told.append)
    assert "making.anew" in [event.message.key for event in told]
    assert made.result and made.result["steps"] == 6


def test_a_script_by_another_hand_is_kept(book: Path, gemma_folder: Path) -> None:
    world = book.parent / "mine"
    making.run(settings(book, gemma_folder, steps=("distill",)))
    line = Line(kind="say", char="阿灯", text="我自己写的。")
    (world / "script.jsonl").write_text(str(line.to_json()).replace("'", '"'), "utf-8")
    told: list[Event] = []
    making.run(settings(book, gemma_folder, novel=None, steps=("distill",)), told.append)
    assert [event.message.key for event in told] == ["making.kept-script"]


def test_nothing_to_read_is_told(tmp_path: Path, gemma_folder: Path) -> None:
    World.create(tmp_path / "mine", "空")
    with pytest.raises(WorldError, match=r"no novel\.txt or novel\.epub"):
        making.run(making.Settings(world=tmp_path / "mine", model=str(gemma_folder)))


def test_steps_are_fewer_where_there_is_little_to_learn() -> None:
    few, many = ({"train": {"passages": count}} for count in (4, 4000))
    world = Path("x")
    assert making._steps(making.Settings(world=world, length="long"), few)["max_steps"] == 6
    assert making._steps(making.Settings(world=world, length="long"), many)["max_steps"] == 400


def test_a_job_is_watched_from_the_disk(book: Path, gemma_folder: Path) -> None:
    world = World.create(book.parent / "mine", "灯").path
    assert runs.watch(world) is None
    job = jobs.start("making", settings(book, gemma_folder))
    assert jobs.wait(job, 120) == "done", jobs.log(job)
    seen = runs.watch(world)
    assert seen and seen.job == job and seen.state == "done" and seen.took > 0
    assert seen.lines[-1].key == "making.done"
    points = runs.losses(book.parent / "adapter")
    assert {point.curve for point in points} == {"loss", "eval_loss", "base_loss"}
    shown = runs.samples(book.parent / "adapter")
    assert shown and [step for step, _ in shown[0].replies] == [0, 2, 4]


def test_a_failed_job_has_its_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    job = jobs.start("knowledge", knowledge.Settings(world=tmp_path / "empty"))
    jobs.wait(job)
    seen = runs.look(job)
    assert seen.state == "failed" and "wiki" in seen.error and "\n" not in seen.error


def test_a_killed_job_is_seen_as_killed(tmp_path: Path) -> None:
    (tmp_path / "wiki").mkdir()
    os.mkfifo(tmp_path / "wiki" / "never.md")
    job = jobs.start("knowledge", knowledge.Settings(world=tmp_path))
    assert runs.look(job).running
    psutil.Process(job.pid).kill()
    jobs.wait(job)
    assert runs.look(job).state == "killed"


def test_a_secret_reaches_the_job_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    world = tmp_path / "empty"
    job = jobs.start("knowledge", knowledge.Settings(world=world), {"OPENAI_API_KEY": "sk-secret"})
    jobs.wait(job)
    texts = [path.read_bytes() for path in world.rglob("*") if path.is_file()]
    assert texts and not any(b"sk-secret" in text for text in texts)


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "lo', "utf-8")
    assert runs.losses(tmp_path) == [runs.Point(1, "loss", 2.5)]
