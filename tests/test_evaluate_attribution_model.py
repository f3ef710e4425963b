"""Who speaks in a window, asked of a model on loopback beside the rules, and by batch files."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "roleplay" / "distill"))

from loopback import Reply, completion, serve

from scripts.evaluate_attribution import main

LATENT: dict[str, Any] = {
    "sentences": ["柳青和周山都站着。", "“走吧。”", "门外下着雨。"],
    "target_index": 1,
    "candidates": [
        {"name": "柳青", "gender": "f"},
        {"name": "周山", "aliases": ["山子"], "gender": "m"},
    ],
    "category": "latent",
}


def data(path: Path) -> Path:
    """The same scene with either speaker: the rules can have only one of them right."""
    rows = [
        LATENT | {"speaker": name, "sentences": [*LATENT["sentences"], name]}
        for name in ("柳青", "周山")
    ]
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def answer(body: dict[str, Any]) -> Reply:
    """The last line of the window names the speaker, by an alias too."""
    name = body["messages"][1]["content"].strip().splitlines()[-1]
    return Reply(
        json.dumps(
            {"speaker": "山子" if name == "周山" else name, "confidence": 0.95}, ensure_ascii=False
        )
    )


def last(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


def test_a_model_decides_where_the_rules_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data(tmp_path / "data.jsonl")
    assert main([str(path)]) == 0 and last(capsys)["accuracy"] == 0.5
    with serve(answer) as server:
        for _ in range(2):
            assert main([str(path), "--backend", server.url, "--model", "m"]) == 0
            assert last(capsys)["accuracy"] == 1.0
        assert len(server.requests) == 2


def test_batch_files_out_and_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out, back = data(tmp_path / "data.jsonl"), tmp_path / "out.jsonl", tmp_path / "in.jsonl"
    flags = [str(path), "--backend", "openai", "--model", "m"]
    assert main([*flags, "--batch-out", str(out)]) == 0
    questions = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    replies = [
        {
            "custom_id": row["custom_id"],
            "response": {
                "status_code": 200,
                "body": json.loads(completion(answer(row["body"]).text or "")),
            },
        }
        for row in reversed(questions)
    ]
    back.write_text("".join(json.dumps(row) + "\n" for row in replies), encoding="utf-8")
    assert main([*flags, "--batch-in", str(back)]) == 0
    assert last(capsys)["accuracy"] == 1.0


@pytest.mark.parametrize("text", ["", "谁也不是", '{"speaker": "路人", "confidence": 1}'])
def test_a_reply_that_names_nobody_leaves_it_to_the_rules(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data(tmp_path / "data.jsonl")
    with serve(lambda body: Reply(text or "{}")) as server:
        assert main([str(path), "--backend", server.url, "--model", "m"]) == 0
    assert last(capsys)["accuracy"] == 0.5


def test_options_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data(tmp_path / "data.jsonl")
    assert main([str(path), "--backend", "magic"]) == 2
    assert (
        "unknown backend 'magic': known are rules, openai, or an address" in capsys.readouterr().err
    )
    assert main([str(path), "--backend", "openai"]) == 2
    assert "--backend openai needs --model" in capsys.readouterr().err
