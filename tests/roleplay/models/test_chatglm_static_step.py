"""Decoding in tensors that never move gives what decoding with a growing cache gives.

Only the CUDA graph needs a GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DynamicCache

from roleplay.models.chatglm import ChatGLMForConditionalGeneration
from roleplay.models.chatglm.static_step import StaticStep

PROMPTS = ["你好", "问：灯还亮着？答：", "Hello, world!"]
INT4 = {"quantization_bit": 4, "quantization_embeddings": True}


def prefilled(
    model: Any, pieces: Any, texts: list[str], room: int
) -> tuple[StaticStep, torch.Tensor, Any]:
    """A step after the prompts, the prefill's last logits [b, v], and the inputs."""
    inputs = pieces(texts, return_tensors="pt", padding=True)
    inputs["attention_mask"] = (~inputs["attention_mask"][:, 0, -1]).long()
    with torch.no_grad():
        output = model(**inputs, past_key_values=DynamicCache())
    positions, real = inputs["position_ids"], inputs["attention_mask"]
    step = StaticStep(model, output.past_key_values, positions=positions, real=real, room=room)
    return step, output.logits[:, -1], inputs


@pytest.mark.parametrize("settings", [{}, {"pre_seq_len": 5}, INT4 | {"pre_seq_len": 3}], ids=str)
@pytest.mark.parametrize("texts", [PROMPTS, PROMPTS[1:2]], ids=["padded", "one"])
def test_the_same_tokens_as_generate(
    glm_folder: Path, pieces: Any, texts: list[str], settings: dict[str, Any]
) -> None:
    model = ChatGLMForConditionalGeneration.from_pretrained(glm_folder, **settings)
    step, logits, inputs = prefilled(model, pieces, texts, room=9)
    length = {"max_new_tokens": 10, "min_new_tokens": 10}
    more = {"output_logits": True, "return_dict_in_generate": True}
    wanted = model.generate(**inputs, do_sample=False, **length, **more)
    for expected, ids in zip(wanted.logits, wanted.sequences[:, -10:].T, strict=True):
        torch.testing.assert_close(logits, expected, atol=2e-5, rtol=1e-4)
        logits = step(ids) if step.room else logits


def test_no_step_without_room(glm: Any, pieces: Any) -> None:
    step, _, _ = prefilled(glm, pieces, PROMPTS, room=1)
    ids = torch.tensor([5, 6, 7])
    step(ids)
    with pytest.raises(
        ValueError, match="the static step has no room left: give it more tokens of room"
    ):
        step(ids)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_graph_gives_the_same(glm_folder: Path, pieces: Any) -> None:
    model = ChatGLMForConditionalGeneration.from_pretrained(glm_folder, **INT4, device_map="cuda")
    inputs = pieces(PROMPTS[:1], return_tensors="pt").to("cuda")
    with torch.no_grad():
        steps = [
            StaticStep(model, output.past_key_values, positions=inputs["position_ids"], room=6)
            for output in [model(**inputs, past_key_values=DynamicCache()) for _ in range(2)]
        ]
    steps[1].capture()
    for token in (5, 60, 7, 80, 9):
        ids = torch.tensor([token], device="cuda")
        torch.testing.assert_close(steps[0](ids), steps[1](ids), atol=1e-2, rtol=1e-2)
