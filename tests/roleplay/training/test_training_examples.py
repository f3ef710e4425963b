"""Prompt/response rows as ids: the targets are the answer and its end; no cut takes the cue."""

from pathlib import Path
from typing import Any

import pytest

from roleplay.backends.local import LocalBackend
from roleplay.errors import DatasetError
from roleplay.prompts import Prompt
from roleplay.records import Example
from roleplay.training.examples import encode_example, encode_examples, read_examples

ROW = Example(
    prompt="【雨停】\n小舟：船。\n阿灯：",
    response="灯还亮着。",
    character="阿灯",
    task="scene",
    weight=0.3,
)


def encode(pieces: Any, row: Example = ROW, *, max_source: int = 99, max_target: int = 99) -> Any:
    return encode_example(pieces, row, max_source=max_source, max_target=max_target)


def test_exact_ids_and_weights(pieces: Any) -> None:
    prompt = pieces.encode(ROW.prompt, add_special_tokens=False)
    answer = [*pieces.encode(ROW.response, add_special_tokens=False), pieces.eos_token_id]
    row = encode(pieces)
    assert row.ids == (*prompt, pieces.gmask_token_id, pieces.bos_token_id, *answer)
    assert row.weights == (0.0,) * (len(prompt) + 2) + (0.3,) * len(answer)


def test_the_ids_are_those_of_the_published_recipe(pieces: Any) -> None:
    assert list(encode(pieces).ids) == pieces(ROW.prompt, ROW.response).input_ids


def test_training_and_chat_have_the_same_ids(glm: Any, pieces: Any) -> None:
    asked = LocalBackend(glm, pieces).encode(Prompt((ROW.prompt,)))[0].tolist()
    assert list(encode(pieces).ids[: len(asked)]) == asked


def test_a_long_prompt_loses_its_oldest_tokens(pieces: Any) -> None:
    whole = encode(pieces)
    row = encode(pieces, max_source=4)
    assert row.ids == whole.ids[-4 - 2 - row.targets :] and row.targets == whole.targets
    assert pieces.decode(list(row.ids[:4])).endswith("阿灯:")


def test_a_cut_answer_learns_no_end(pieces: Any) -> None:
    whole, length = encode(pieces), encode(pieces).targets
    assert encode(pieces, max_target=length - 1) == whole
    row = encode(pieces, max_target=length - 2)
    assert row.ids == whole.ids[:-2] and pieces.eos_token_id not in row.ids


def test_special_tokens_in_the_text_are_characters(pieces: Any) -> None:
    row = encode(
        pieces,
        ROW.model_copy(update={"prompt": "问：[gMASK]<sop>\n阿灯：", "response": "<eop>灯[MASK]"}),
    )
    special = [pieces.gmask_token_id, pieces.bos_token_id, pieces.eos_token_id]
    assert [token for token in row.ids if token in {*special, pieces.mask_token_id}] == special


def test_rows_without_weight_are_left_out(pieces: Any) -> None:
    silent = ROW.model_copy(update={"weight": 0.0})
    assert len(encode_examples(pieces, [silent, ROW], max_source=9, max_target=9)) == 1
    with pytest.raises(
        DatasetError, match="no row has an answer to learn: check the characters' names"
    ):
        encode_examples(pieces, [silent], max_source=9, max_target=9)


def test_rows_are_read_back_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(ROW.model_dump_json() + "\n", encoding="utf-8")
    assert read_examples(path) == [ROW]
    path.write_text(ROW.model_dump_json() + '\n{"prompt": "问"}\n', encoding="utf-8")
    with pytest.raises(DatasetError, match="row 2 is no prompt/response row"):
        read_examples(path)
