"""The README's five lines at toy size: a novel and a wiki page go in, a character answers."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

NOVEL = "".join(
    f"第{number}章 雨\n\n"
    + "".join(
        f"闻筝说：“漏了第{number}{row}处，没得商量。”\n陆迟说：“不好意思，第{row}处是我碰的。”\n"
        for row in range(6)
    )
    + "\n"
    for number in "一二三"
)
PAGE = (
    "# 闻筝\n\n闻筝是滴答铺的学徒修雨匠，最爱吃椒盐豆糕，住在檐下巷四十一号，养了一只叫半斤的猫。\n"
)


def run(script: str, *argv: str) -> None:
    assert importlib.import_module(f"scripts.{script}").main(list(argv)) == 0


def test_a_novel_becomes_a_character(
    tmp_path: Path, gemma_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book.txt").write_text(NOVEL, encoding="utf-8")
    world, model, out = tmp_path / "mine", str(gemma_folder), str(tmp_path / "adapter")
    run("distill_dialogues", "--world", str(world), "--novel", str(tmp_path / "book.txt"))
    (world / "wiki").mkdir()
    (world / "wiki" / "闻筝.md").write_text(PAGE, encoding="utf-8")
    run("build_knowledge_base", "--world", str(world))
    run("prepare_seq2seq_training", "--world", str(world), "--model", model)
    short = [
        "--max-steps",
        "2",
        "--eval-steps",
        "2",
        "--log-steps",
        "1",
        "--samples",
        "0",
        "--general-rows",
        "0",
    ]
    run("train_roleplaying", "--world", str(world), "--model", model, "--output-dir", out, *short)
    capsys.readouterr()
    asked = ["--questions", "你是谁？", "--samples", "2", "--max-tokens", "8", "--seed", "1"]
    run("test_dialogue", "--world", str(world), "--model", model, "--checkpoint", out, *asked)
    told = capsys.readouterr().out
    assert "问：你是谁？（闻筝）" in told and "\n2. " in told
