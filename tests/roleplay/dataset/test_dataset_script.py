"""Preparing by its script: modes, a plain test part, refusals that leave nothing behind."""

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import tiny

from roleplay.records import Passage
from roleplay.training.data import read_passages
from scripts import prepare_seq2seq_training

PROFILES = {"阿灯": "点灯人", "小舟": "摆渡的"}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tiny.write_world(tmp_path / "toy")
    change(path, profiles=PROFILES)
    return path


def change(world: Path, *, profiles: dict[str, str]) -> None:
    info = json.loads((world / "world.json").read_text(encoding="utf-8"))
    for person in info["characters"]:
        person["profile"] = profiles.get(person["name"], "")
    (world / "world.json").write_text(json.dumps(info), encoding="utf-8")


def prepare(world: Path, model: Path, name: str, *more: str) -> Path:
    """The folder of a new data set of the world."""
    folder = world.parent / name
    flags = ["--world", str(world), "--data-dir", str(folder), "--model", str(model)]
    assert prepare_seq2seq_training.main([*flags, "--scene-tokens", "40", *more]) == 0
    return folder


def refused(world: Path, model: Path, *more: str) -> None:
    """The script ends with 2 and nothing is written."""
    before = {path: path.read_bytes() for path in world.parent.rglob("*") if path.is_file()}
    folder = str(world.parent / "refused")
    flags = ["--world", str(world), "--data-dir", folder, "--model", str(model)]
    assert prepare_seq2seq_training.main([*flags, *more]) == 2
    assert {path: path.read_bytes() for path in world.parent.rglob("*") if path.is_file()} == before


def texts(folder: Path, part: str) -> list[str]:
    return ["".join(segment.text for segment in row.segments) for row in passages(folder, part)]


def passages(folder: Path, part: str) -> list[Passage]:
    return read_passages(folder / f"{part}.passages.jsonl")


def report(folder: Path) -> Any:
    return json.loads((folder / "report" / "dataset.json").read_text(encoding="utf-8"))


def test_the_test_part_is_the_same_scenes_in_all_modes(world: Path, gemma_folder: Path) -> None:
    many = prepare(world, gemma_folder, "many", "--mode", "many")
    bare = prepare(
        world, gemma_folder, "bare", "--no-interviews", "--protection", "0", "--mode", "many"
    )
    profile = prepare(world, gemma_folder, "profile", "--mode", "profile")
    assert texts(many, "test") == texts(bare, "test")
    without = texts(profile, "test")
    for name, text in PROFILES.items():
        assert all(f"【{name}：{text}】\n" in row for row in without if f"\n{name}：" in row)
        without = [row.replace(f"【{name}：{text}】\n", "") for row in without]
    assert without == texts(many, "test")


def test_the_test_part_holds_scenes_and_nothing_else(world: Path, gemma_folder: Path) -> None:
    assert {row.task for row in passages(prepare(world, gemma_folder, "many"), "test")} == {"scene"}


def test_the_training_part_holds_every_task(world: Path, gemma_folder: Path) -> None:
    folder = prepare(world, gemma_folder, "many", "--replay-share", "0.8")
    tasks = {"scene", "conversation", "question", "identity", "unknown", "context_qa", "general"}
    assert {row.task for row in passages(folder, "train")} == tasks
    rows = [
        json.loads(line)
        for line in (folder / "train.json").read_text(encoding="utf-8").splitlines()
    ]
    assert {row["task"] for row in rows} == tasks


def test_the_knowledge_base_is_looked_for_only_where_a_share_asks(
    world: Path, gemma_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = ("--background-share", "0", "--interview-background-share")
    prepare(world, gemma_folder, "half", *shares, "0.5")
    assert "background: none" in capsys.readouterr().out
    prepare(world, gemma_folder, "none", *shares, "0")
    assert "background" not in capsys.readouterr().out


def test_protection_can_be_turned_off(world: Path, gemma_folder: Path) -> None:
    folder = prepare(world, gemma_folder, "bare", "--protection", "0")
    assert {row.task for row in passages(folder, "train")} == {"scene", "question"}


def test_interviews_can_be_left_out(world: Path, gemma_folder: Path) -> None:
    folder = prepare(world, gemma_folder, "novel", "--no-interviews")
    assert {row.task for row in passages(folder, "train")} == {
        "scene", "identity", "unknown", "context_qa", "general",
    }  # fmt: skip


def test_one_character_learns_its_own_lines_only(world: Path, gemma_folder: Path) -> None:
    folder = prepare(world, gemma_folder, "one", "--mode", "one", "--characters", "小舟")
    cues = {
        before.text
        for row in passages(folder, "train")
        if row.task != "context_qa"
        for before, segment in zip(row.segments, row.segments[1:], strict=False)
        if segment.weight
    }
    assert cues == {"小舟：", "助手："}
    assert (report(folder)["settings"]["mode"], report(folder)["settings"]["characters"]) == (
        "one",
        ["小舟"],
    )


def test_data_elsewhere_leaves_the_world_alone(world: Path, gemma_folder: Path) -> None:
    prepare(world, gemma_folder, "many")
    assert not (world / "train.json").exists() and not (world / "report").exists()


def test_the_report_counts_what_is_learnt(world: Path, gemma_folder: Path) -> None:
    folder = prepare(world, gemma_folder, "many")
    found = report(folder)
    assert found["train"]["target_tokens"] == sum(found["train"]["target_tokens_by_task"].values())
    assert set(found["train"]["target_tokens_by_character"]) == {"阿灯", "小舟"}
    assert set(found["examples"]) == set(found["train"]["passages_by_task"])
    assert sum(found["train"]["answer_tokens"].values()) == found["train"]["rows"]
    page = (folder / "report" / "dataset.md").read_text(encoding="utf-8")
    assert "## Target tokens by character" in page and "## Examples: identity" in page
    assert (folder / "report" / "dataset.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_settings_do_nothing_again(
    world: Path, gemma_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(world, gemma_folder, "many")
    assert "nothing changed" not in capsys.readouterr().out
    prepare(world, gemma_folder, "many")
    assert "nothing changed since the last time" in capsys.readouterr().out


def test_interviews_that_sound_generated_are_reported_or_dropped(
    world: Path, gemma_folder: Path
) -> None:
    with (world / "interviews.jsonl").open("a", encoding="utf-8") as stream:
        row = {"id": "i9", "character": "阿灯", "question": "灯好吗？"}
        stream.write(json.dumps(row | {"answer": "总的来说，灯很好。"}) + "\n")
    kept = prepare(world, gemma_folder, "kept", "--interview-share", "0.9")
    assert report(kept)["assistant_isms"]["examples"] == [
        {"answer": "总的来说，灯很好。", "signs": ["总的来说"]}
    ]
    assert any("总的来说" in text for text in texts(kept, "train"))
    shares = ("--interview-share", "0.9")
    dropped = prepare(world, gemma_folder, "dropped", *shares, "--assistant-isms", "drop")
    assert report(dropped)["train"]["dropped"]["assistant-isms"] == 1
    assert not any("总的来说" in text for text in texts(dropped, "train"))


def test_flags_of_earlier_versions_are_understood(world: Path, gemma_folder: Path) -> None:
    names = ("--scene-tokens", "--context-qa-share", "--assistant-isms")
    old = ("--scene_tokens", "--reading_share", "--flavour")
    values = ("30", "0.05", "drop")
    folders = [
        prepare(world, gemma_folder, name, *chain(*zip(flags, values, strict=True)))
        for name, flags in (("new", names), ("old", old))
    ]
    assert report(folders[0])["settings"] == report(folders[1])["settings"]
    assert (folders[0] / "train.json").read_bytes() == (folders[1] / "train.json").read_bytes()


def test_a_value_that_is_not_offered_ends_with_2(
    world: Path, gemma_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        refused(world, gemma_folder, "--mode", "some")
    assert ended.value.code == 2
    assert "--mode: invalid choice: 'some'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--mode", "one"],
            "mode one learns exactly one character, not 2 (阿灯 小舟): name one with --characters",
        ),
        (["--characters", "夏娜"], "no character '夏娜'"),
        (["--interview-share", "1.5"], "--interview-share must be at most 1, not 1.5"),
        (["--protection", "19"], "general together, must be below 1"),
    ],
)
def test_bad_settings_are_one_line(
    world: Path,
    gemma_folder: Path,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    message: str,
) -> None:
    refused(world, gemma_folder, *flags)
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_without_profiles_mode_profile_is_mode_many(world: Path, gemma_folder: Path) -> None:
    change(world, profiles={})
    folder = prepare(world, gemma_folder, "plain", "--mode", "profile")
    assert report(folder)["settings"]["mode"] == "many"
    assert texts(folder, "train") == texts(
        prepare(world, gemma_folder, "many", "--mode", "many"), "train"
    )


def test_interviews_without_the_characters_are_refused(
    world: Path, gemma_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (world / "interviews.jsonl").read_text(encoding="utf-8").splitlines()
    (world / "interviews.jsonl").write_text(
        "\n".join(row for row in rows if "阿灯" in row), encoding="utf-8"
    )
    refused(world, gemma_folder, "--characters", "小舟")
    assert (
        "interviews is with 小舟: add some, or leave interviews out with --no-interviews"
        in capsys.readouterr().err
    )


def test_a_training_part_without_usable_rows_is_refused(
    world: Path, gemma_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (world / "script.jsonl").read_text(encoding="utf-8")
    (world / "script.jsonl").write_text(script.replace("阿灯", "unknown"), encoding="utf-8")
    refused(world, gemma_folder, "--characters", "阿灯", "--no-interviews")
    assert "no usable row in the train part" in capsys.readouterr().err
