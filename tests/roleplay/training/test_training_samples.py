"""Replies to fixed prompts: which prompts, that they are greedy, and what a person reads."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from roleplay import files
from roleplay.adapters.prefix import new_prefix, start_from_text
from roleplay.backends.base import generate
from roleplay.backends.local import LocalBackend
from roleplay.models import causal, loading
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams
from roleplay.training.data import TokenRow
from roleplay.training.recording import Watch
from roleplay.training.samples import as_markdown, greedy, held_out_prompts
from roleplay.training.settings import TrainSettings
from roleplay.training.trainer import train

PROMPT = "【雨停了。】\n小舟：船来了。\n阿灯："


def test_a_prompt_ends_before_the_middle_answer() -> None:
    row = TokenRow(tuple(range(10)), (0, 0, 1, 0, 0, 1, 1, 0, 1, 1))
    assert held_out_prompts([row], 3) == [(0, 1, 2, 3, 4)]


def test_prompts_are_spread_over_the_rows_and_cut_from_their_start() -> None:
    rows = [TokenRow((number,) * 400, (0.0,) * 399 + (1.0,)) for number in range(8)]
    assert held_out_prompts(rows, 2) == [(0,) * 256, (4,) * 256]


@pytest.mark.parametrize("length", [0, 3])
def test_the_reply_is_the_greedy_one_of_the_chat(gemma: Any, tokenizer: Any, length: int) -> None:
    if length:
        gemma = new_prefix(gemma, length=length)
        start_from_text(gemma, torch.tensor([[5, 7, 9]]))
        gemma.eval()
    ids = causal.encode_prompt(tokenizer, [PROMPT])
    backend = LocalBackend(gemma, tokenizer)
    params = SamplingParams(temperature=0, max_new_tokens=12, repetition_penalty=1.0)
    (expected,) = generate(backend, Prompt((PROMPT,)), n=1, params=params)
    assert greedy(gemma, tokenizer, ids, limit=12) == expected


def test_a_reply_ends_at_its_line_break(tokenizer: Any) -> None:
    model = tiny.successor({"：": "船", "船": "灯", "灯": "\n"})
    assert greedy(model, tokenizer, causal.encode_prompt(tokenizer, ["阿灯："])) == "船灯"


def test_a_chatglm_replies(glm: Any, pieces: Any) -> None:
    assert isinstance(greedy(glm, pieces, causal.encode_prompt(pieces, [PROMPT]), limit=4), str)


def test_samples_do_not_change_the_run(gemma_folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    rows = [
        TokenRow((1, 5, 9, 11, 6), (0.0, 0.0, 1.0, 1.0, 1.0)),
        TokenRow((1, 7, 8, 11), (0.0, 0.0, 1.0, 1.0)),
    ]
    settings = TrainSettings(adapter="lora", batch=2, max_steps=4, eval_steps=2)
    results = [
        train(
            loading.load_causal(str(gemma_folder)),
            tokenizer,
            rows,
            rows,
            settings,
            folder=tmp_path / str(number),
            watch=Watch(samples=number),
        )[1]
        for number in (0, 2)
    ]
    assert results[0] == results[1]
    found = list(files.read_jsonl(tmp_path / "2" / "samples.jsonl"))
    assert [(row["step"], row["number"]) for row in found] == [
        (0, 0),
        (0, 1),
        (2, 0),
        (2, 1),
        (4, 0),
        (4, 1),
    ]
    assert not (tmp_path / "0" / "samples.jsonl").exists()
    assert "- step 4: " in (tmp_path / "2" / "samples.md").read_text(encoding="utf-8")


def test_what_a_person_reads() -> None:
    rows = [
        {"step": 0, "number": 0, "prompt": "雨停。\n阿灯：", "reply": "灯"},
        {"step": 0, "number": 1, "prompt": "小舟：", "reply": ""},
        {"step": 8, "number": 0, "prompt": "雨停。\n阿灯：", "reply": "灯亮着。"},
    ]
    text = as_markdown(rows)
    assert "## 1\n\n> …雨停。\n> 阿灯：\n\n- step 0: 灯\n- step 8: 灯亮着。\n" in text
    assert "## 2\n\n> …小舟：\n\n- step 0: (empty)\n" in text
