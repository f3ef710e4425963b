"""Jobs: a stage in its own process: found again, stopped, gone on with, alone in its world."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import psutil
import pytest

from roleplay.errors import BusyError
from roleplay.messages import message
from roleplay.stages import distill, jobs, knowledge
from roleplay.stages.jobs import Job
from roleplay.stages.progress import Event

NOVEL = (
    "第一章 雨\n\n"
    + "闻筝说：“漏了。”\n陆迟说：“不好意思。”\n" * 40
    + "\n第二章 钟\n\n"
    + "闻筝说：“走。”\n" * 40
)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "book.txt").write_text(NOVEL, encoding="utf-8")
    return tmp_path / "mine"


@pytest.fixture
def slow(world: Path) -> Path:
    """A world whose knowledge base takes long: its wiki is a pipe that nobody fills."""
    (world / "wiki").mkdir(parents=True)
    os.mkfifo(world / "wiki" / "never.md")
    return world


def begin(world: Path) -> Job:
    return jobs.start("knowledge", knowledge.Settings(world=world))


def test_a_job_runs_its_script_and_keeps_all_that_it_told(world: Path) -> None:
    job = jobs.start("distill", distill.Settings(world=world, novel=world.parent / "book.txt"))
    assert jobs.wait(job) == "done", jobs.log(job)
    assert (world / "script.jsonl").exists()
    assert job.command[1].endswith("scripts/distill_dialogues.py") and "--novel" in job.command
    keys = [event.message.key for event in jobs.events(job)]
    assert "distill-stage.script" in keys and jobs.events(job, since=len(keys)) == []
    assert "script   " in jobs.log(job) or "剧本" in jobs.log(job)
    assert jobs.find_jobs(world) == [job]


def test_a_failure_has_its_line_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    job = jobs.start("knowledge", knowledge.Settings(world=tmp_path / "empty"))
    assert jobs.wait(job) == "failed"
    assert jobs.log(job).count("\n") == 1


def test_the_second_start_says_who_is_busy(slow: Path) -> None:
    job = begin(slow)
    with pytest.raises(BusyError) as caught:
        begin(slow)
    assert "knowledge has been running in mine since" in str(caught.value)
    assert "正在运行 knowledge" in caught.value.text("zh")
    jobs.stop(job)
    assert jobs.wait(job) == "stopped"


def test_of_two_starts_at_once_one_runs(slow: Path) -> None:
    outcomes: list[object] = []

    def one() -> None:
        try:
            outcomes.append(begin(slow))
        except BusyError as error:
            outcomes.append(error)

    threads = [Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running = [outcome for outcome in outcomes if isinstance(outcome, Job)]
    assert len(running) == 1 and len(outcomes) == 4
    jobs.stop(running[0])
    assert jobs.wait(running[0]) == "stopped"


def test_a_stopped_job_is_gone_on_with(slow: Path) -> None:
    job = begin(slow)
    jobs.stop(job)
    assert jobs.wait(job) == "stopped"
    (slow / "wiki" / "never.md").unlink()
    (slow / "wiki" / "闻筝.md").write_text(
        "# 闻筝\n\n闻筝最爱吃椒盐豆糕，住在檐下巷四十一号。\n", encoding="utf-8"
    )
    again = jobs.resume(job)
    assert jobs.wait(again) == "done", jobs.log(again)
    assert again.id != job.id and jobs.find_jobs(slow) == [again, job]


def test_a_killed_job_is_told_from_a_finished_one(slow: Path) -> None:
    job = begin(slow)
    psutil.Process(job.pid).kill()
    assert jobs.wait(job) == "killed"
    assert jobs.running(slow) is None


def test_a_job_outlives_whoever_started_it_and_is_found_again(slow: Path) -> None:
    starter = (
        "import os, signal, sys; from pathlib import Path\n"
        "from roleplay.stages import jobs, knowledge\n"
        "jobs.start('knowledge', knowledge.Settings(world=Path(sys.argv[1])))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", starter, str(slow)], cwd=Path(jobs.__file__).parents[2])
    job = jobs.running(slow)
    assert job is not None and jobs.state(job) == "running"
    jobs.stop(job)
    assert jobs.wait(job) == "stopped"


def test_another_process_with_the_same_number_is_not_taken_for_it(slow: Path) -> None:
    job = begin(slow)
    jobs.stop(job)
    jobs.wait(job)
    for name in (jobs.STATUS, jobs.STOP):
        (job.folder / name).unlink(missing_ok=True)
    other = Job(job.folder, job.stage, job.command, job.cwd, os.getpid(), job.born, job.started)
    assert jobs.state(other) == "killed"


def made_by_hand(folder: Path, command: str) -> Job:
    """A job of one shell command in its folder."""
    (folder / "jobs" / "1").mkdir(parents=True)
    process = subprocess.Popen(["sh", "-c", command], cwd=folder / "jobs" / "1")
    born = psutil.Process(process.pid).create_time()
    return Job(folder / "jobs" / "1", "knowledge", ("sh",), ".", process.pid, born, "")


def test_a_job_that_ends_while_it_is_looked_at_is_not_taken_for_killed(tmp_path: Path) -> None:
    for number in range(5):
        job = made_by_hand(tmp_path / str(number), "echo '{\"code\": 0}' > x; mv x status.json")
        while (now := jobs.state(job)) == "running":
            pass
        assert now == "done"


def test_events_with_other_line_breaks_and_one_half_written_are_read(tmp_path: Path) -> None:
    job = made_by_hand(tmp_path, "true")
    told = Event("distill", message("plain", text="晨醒雨\u2028半糖雨\x85"))
    line = json.dumps(told.to_json(), ensure_ascii=False).encode() + b"\n"
    (job.folder / jobs.EVENTS).write_bytes(line + line + line[: line.index("雨".encode()) + 1])
    assert jobs.events(job) == [told, told] and jobs.events(job, since=1) == [told]


def test_what_has_just_ended_need_not_be_stopped(slow: Path) -> None:
    job = begin(slow)
    jobs.stop(job)
    jobs.wait(job)
    jobs.stop(job)
    assert jobs.state(job) == "stopped"
