"""Passages as ids: exactly the answers and their line breaks are learnt."""

from pathlib import Path
from typing import Any

import pytest

from roleplay.backends.local import LocalBackend
from roleplay.errors import DatasetError
from roleplay.prompts import scene_prompt
from roleplay.records import Line, Passage, Segment
from roleplay.script import format_body
from roleplay.training.data import TokenRow, encode_passage, encode_passages, read_passages

PASSAGE = Passage(
    task="scene",
    segments=(
        Segment(text="【雨停】\n"),
        Segment(text="小舟："),
        Segment(text="船。\n"),
        Segment(text="阿灯："),
        Segment(text="灯。\n", weight=0.3),
    ),
)


def test_exact_ids_and_weights(tokenizer: Any) -> None:
    row = encode_passage(tokenizer, PASSAGE)
    characters = list("【雨停】\n小舟：船。\n阿灯：灯。\n")
    assert row.ids == (tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(characters))
    assert row.weights == (0.0,) * 15 + (0.3,) * 3
    assert row.targets == 3


def test_only_the_answer_and_its_line_break_are_learnt(tokenizer: Any) -> None:
    row = encode_passage(tokenizer, PASSAGE)
    learnt = [token for token, weight in zip(row.ids, row.weights, strict=True) if weight]
    assert tokenizer.convert_ids_to_tokens(learnt) == ["灯", "。", "\n"]


def test_a_tokenizer_without_a_first_token(gemma_folder: Path) -> None:
    from roleplay.models.loading import load_tokenizer

    plain = load_tokenizer(str(gemma_folder))
    plain.bos_token = None
    row = encode_passage(plain, Passage(task="scene", segments=(Segment(text="灯\n", weight=1.0),)))
    assert row.ids == tuple(plain.convert_tokens_to_ids(["灯", "\n"]))


def test_training_and_chat_have_the_same_ids(gemma: Any, tokenizer: Any) -> None:
    lines = [Line(kind="info", text="雨停"), Line(kind="say", char="小舟", text="船。")]
    answer = Line(kind="say", char="阿灯", text="灯。")
    asked = (
        LocalBackend(gemma, tokenizer).encode(scene_prompt("阿灯", lines, count=len))[0].tolist()
    )
    answered = tokenizer.convert_tokens_to_ids([*format_body(answer), "\n"])
    assert tuple(asked + answered) == encode_passage(tokenizer, PASSAGE).ids


def test_a_long_passage_loses_its_oldest_tokens(tokenizer: Any) -> None:
    whole = encode_passage(tokenizer, PASSAGE)
    assert encode_passages(tokenizer, [PASSAGE], max_tokens=7) == [
        TokenRow(whole.ids[-7:], whole.weights[-7:])
    ]
    assert encode_passages(tokenizer, [PASSAGE], max_tokens=18) == [whole]


def test_passages_with_nothing_to_learn_are_left_out(tokenizer: Any) -> None:
    silent = Passage(task="scene", segments=(Segment(text="雨停"),))
    assert len(encode_passages(tokenizer, [silent, PASSAGE], max_tokens=99)) == 1
    with pytest.raises(
        DatasetError, match="no passage has a line to learn: check the characters' names"
    ):
        encode_passages(tokenizer, [silent], max_tokens=99)


def test_passages_are_read_back_and_a_broken_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.passages.jsonl"
    path.write_text(PASSAGE.model_dump_json() + "\n", encoding="utf-8")
    assert read_passages(path) == [PASSAGE]
    path.write_text(PASSAGE.model_dump_json() + '\n{"task": "scene"}\n', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"row 2 is no passage \(segments: is missing\)"):
        read_passages(path)
