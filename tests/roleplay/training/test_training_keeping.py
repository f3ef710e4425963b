"""General rows are held near the base model, and their loss is taken before and after."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roleplay.models import loading
from roleplay.records import Example, Passage, Segment
from roleplay.training.data import TokenRow, encode_passage
from roleplay.training.examples import encode_example
from roleplay.training.recording import Watch
from roleplay.training.settings import TrainSettings
from roleplay.training.steps import mean_loss
from roleplay.training.trainer import train

ROLE = TokenRow((1, 5, 9, 11, 6), (0.0, 0.0, 1.0, 1.0, 1.0))
GENERAL = TokenRow((1, 7, 8, 12, 4), (0.0, 0.0, 1.0, 1.0, 1.0), general=True)


def trained(
    folder: Path, tokenizer: Any, rows: list[TokenRow], adapter: Any, keep: float, out: Path
) -> dict[str, Any]:
    settings = TrainSettings(
        adapter=adapter,
        pre_seq_len=4,
        batch=2,
        max_steps=12,
        eval_steps=12,
        warmup_steps=1,
        kl_weight=keep,
    )
    model = loading.load_causal(str(folder))
    watch = Watch(general=[replace(GENERAL, general=False)])
    return train(model, tokenizer, rows, [ROLE], settings, folder=out, watch=watch)[1]


@pytest.mark.parametrize("adapter", ["prefix", "lora"])
def test_a_general_row_stays_near_the_base_model(
    gemma_folder: Path, tokenizer: Any, adapter: Any, tmp_path: Path
) -> None:
    """Learning pulls the general row's loss down, the penalty pulls it back to the base model's."""
    moves = []
    for keep in (0.0, 30.0):
        found = trained(
            gemma_folder, tokenizer, [ROLE, GENERAL], adapter, keep, tmp_path / str(keep)
        )
        moves.append(abs(found["general_loss"] - found["base_general_loss"]))
        assert found["test_loss"] < found["base_loss"]
    assert moves[1] < 0.8 * moves[0]


def test_other_rows_have_no_penalty(gemma_folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    rows = [ROLE, replace(GENERAL, general=False)]
    results = [
        trained(gemma_folder, tokenizer, rows, "prefix", keep, tmp_path / str(keep))
        for keep in (0.0, 30.0)
    ]
    assert results[0] == results[1]


def test_a_chatglm_is_held_too(glm_home: Path, pieces: Any, tmp_path: Path) -> None:
    example = Example(
        prompt="用户：船？\n助手：", response="船走了。", character="", task="general"
    )
    row = encode_example(pieces, example, max_source=32, max_target=16)
    assert row.general
    losses = []
    for keep in (0.0, 30.0):
        settings = TrainSettings(
            adapter="lora", batch=1, max_steps=12, eval_steps=12, kl_weight=keep, learning_rate=0.01
        )
        model = loading.load_causal(str(glm_home))
        base = mean_loss(model, [row])
        adapted, _ = train(model, pieces, [row], [row], settings, folder=tmp_path / str(keep))
        losses.append(abs(mean_loss(adapted, [row]) - base))
    assert losses[1] < 0.8 * losses[0]


def test_the_task_marks_a_general_passage(tokenizer: Any) -> None:
    segments = (Segment(text="灯：", weight=0.0), Segment(text="船\n", weight=1.0))
    assert encode_passage(tokenizer, Passage(task="general", segments=segments)).general
    assert not encode_passage(tokenizer, Passage(task="scene", segments=segments)).general
