"""Export: each form is read back as its trainers read it; where data is wrong, none is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tiny

from roleplay.dataset.export import export
from roleplay.errors import DatasetError
from roleplay.records import Example
from scripts import export_dataset

PROMPT = "【窗外飘来一股热气】\n闻筝："
ROW = Example(prompt=PROMPT, response="没得商量！", character="闻筝", task="scene", chapter=0)
PARTS = {"train": [ROW, ROW], "test": [ROW]}


def read(path: Path) -> Any:
    text = path.read_bytes().decode("utf-8")
    return (
        [json.loads(line) for line in text.splitlines()]
        if path.suffix == ".jsonl"
        else json.loads(text)
    )


@pytest.mark.parametrize(
    ("form", "name", "row"),
    [
        (
            "sharegpt",
            "train.json",
            {
                "conversations": [
                    {"from": "human", "value": PROMPT},
                    {"from": "gpt", "value": "没得商量！"},
                ]
            },
        ),
        (
            "messages",
            "train.jsonl",
            {
                "messages": [
                    {"role": "user", "content": PROMPT},
                    {"role": "assistant", "content": "没得商量！"},
                ]
            },
        ),
        ("alpaca", "train.json", {"instruction": PROMPT, "input": "", "output": "没得商量！"}),
        ("ptuning", "train.jsonl", {"prompt": PROMPT, "response": "没得商量！", "history": []}),
    ],
)
def test_a_form_is_read_back(tmp_path: Path, form: str, name: str, row: dict[str, Any]) -> None:
    export(PARTS, form, tmp_path)
    assert read(tmp_path / name) == [row, row]
    assert read(tmp_path / name.replace("train", "test")) == [row]


def test_chinese_is_written_as_it_is(tmp_path: Path) -> None:
    export(PARTS, "ptuning", tmp_path)
    assert "没得商量！" in (tmp_path / "train.jsonl").read_bytes().decode("utf-8")


@pytest.mark.parametrize(
    ("form", "key"), [("sharegpt", "conversations"), ("alpaca", "instruction")]
)
def test_dataset_info_describes_columns_that_are_there(tmp_path: Path, form: str, key: str) -> None:
    export(PARTS, form, tmp_path, name="chuiyan")
    info = read(tmp_path / "dataset_info.json")
    assert set(info) == {"chuiyan_train", "chuiyan_test"}
    part = info["chuiyan_train"]
    assert (part["file_name"], part["formatting"]) == ("train.json", form)
    assert key in part["columns"].values()
    assert set(part["columns"].values()) == set(read(tmp_path / "train.json")[0])


@pytest.mark.parametrize("form", ["messages", "ptuning"])
def test_json_lines_need_no_info(tmp_path: Path, form: str) -> None:
    assert [path.name for path in export(PARTS, form, tmp_path)] == ["train.jsonl", "test.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test.jsonl", "train.jsonl"]


def test_an_unknown_form_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match="no export format 'csv': known are sharegpt messages alpaca ptuning"
    ):
        export(PARTS, "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_part_without_rows_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no rows in the test part"):
        export({"train": [ROW], "test": []}, "alpaca", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_script_reads_another_data_set(tmp_path: Path) -> None:
    world = tiny.write_world(tmp_path / "toy")
    data = tmp_path / "data"
    data.mkdir()
    for part in ("train", "test"):
        (data / f"{part}.json").write_text(ROW.model_dump_json() + "\n", encoding="utf-8")
    flags = [
        "--world",
        str(world),
        "--data_dir",
        str(data),
        "--format",
        "alpaca",
        "--output",
        str(tmp_path / "out"),
    ]
    assert export_dataset.main(flags) == 0
    assert "toy_train" in read(tmp_path / "out" / "dataset_info.json")


def test_the_script_names_the_command_that_makes_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = tiny.write_world(tmp_path / "toy")
    flags = ["--world", str(world), "--format", "alpaca", "--output", str(tmp_path / "out")]
    assert export_dataset.main(flags) == 2
    assert (
        f"make it with `python scripts/prepare_seq2seq_training.py --world {world}`"
        in capsys.readouterr().err
    )
