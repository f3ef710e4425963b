"""Generation with a small random ChatGLM: Auto classes, padding, beams, streams, long input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, TextStreamer

from roleplay.errors import PromptError
from roleplay.models.chatglm import positions

GREEDY = {"do_sample": False, "max_new_tokens": 8}
PROMPTS = ["你好", "问：灯还亮着？答：", "Hello, world!"]


def encode(pieces: Any, *texts: str) -> Any:
    return pieces(list(texts), return_tensors="pt", padding=True)


def test_generate_through_the_auto_classes(glm_folder: Path) -> None:
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(glm_folder),
        AutoTokenizer.from_pretrained(glm_folder),
    )
    inputs = encode(tokenizer, *PROMPTS)
    ids = model.generate(**inputs, **GREEDY)
    assert ids.shape[0] == 3 and torch.equal(
        ids[:, : inputs["input_ids"].shape[1]], inputs["input_ids"]
    )


def new_tokens(ids: torch.Tensor, inputs: Any, pad: int) -> list[list[int]]:
    return [
        [token for token in row if token != pad]
        for row in ids[:, inputs["input_ids"].shape[1] :].tolist()
    ]


@pytest.mark.parametrize(
    "settings", [{}, {"pre_seq_len": 5}, {"quantization_bit": 4, "quantization_embeddings": True}]
)
def test_rows_of_a_batch_equal_the_rows_alone(
    glm_folder: Path, pieces: Any, settings: dict[str, Any]
) -> None:
    model = AutoModelForCausalLM.from_pretrained(glm_folder, **settings)
    inputs = encode(pieces, *PROMPTS)
    together = new_tokens(model.generate(**inputs, **GREEDY), inputs, pieces.pad_token_id)
    for text, row in zip(PROMPTS, together, strict=True):
        alone = pieces([text], return_tensors="pt")
        assert new_tokens(model.generate(**alone, **GREEDY), alone, pieces.pad_token_id) == [row]


def test_mask_and_gmask_rows_go_together_with_the_tokenizers_positions(
    glm: Any, pieces: Any
) -> None:
    inputs = encode(pieces, "灯[MASK]亮着", "你好")
    ids = glm.generate(**inputs, **GREEDY)
    alone = encode(pieces, "灯[MASK]亮着")
    assert torch.equal(ids[:1], glm.generate(**alone, **GREEDY))
    with pytest.raises(
        ValueError, match=r"rows \[0\] have no \[gMASK\] .* do not mix rows with \[MASK\]"
    ):
        glm(input_ids=inputs["input_ids"])


def test_candidates_and_beams(glm: Any, pieces: Any) -> None:
    inputs = encode(pieces, *PROMPTS[:2])
    torch.manual_seed(0)
    assert (
        len(glm.generate(**inputs, do_sample=True, num_return_sequences=3, max_new_tokens=4)) == 6
    )
    greedy, beams = glm.generate(**inputs, **GREEDY), glm.generate(**inputs, **GREEDY, num_beams=3)
    assert (
        beams.shape[0] == greedy.shape[0]
        and score(glm, beams, inputs) >= score(glm, greedy, inputs) - 1e-4
    )


def score(model: Any, ids: torch.Tensor, inputs: Any) -> float:
    """The log probability of the continuation of row 1, which has no padding."""
    start = inputs["input_ids"].shape[1]
    with torch.inference_mode():
        found = model(input_ids=ids[1:2]).logits.log_softmax(dim=-1)
    return float(found[0, start - 1 : -1].gather(1, ids[1, start:, None]).sum())


def test_without_a_cache_the_ids_are_the_same(glm: Any, pieces: Any) -> None:
    inputs = encode(pieces, *PROMPTS)
    cached, plain = (
        glm.generate(**inputs, **GREEDY),
        glm.generate(**inputs, **GREEDY, use_cache=False),
    )
    assert torch.equal(cached, plain)


def test_the_usual_mask_equals_the_tokenizers_own(glm: Any, pieces: Any) -> None:
    inputs = encode(pieces, *PROMPTS)
    ids = inputs["input_ids"]
    usual = (ids != pieces.pad_token_id).long()
    with torch.inference_mode():
        own, other = glm(**inputs).logits, glm(input_ids=ids, attention_mask=usual).logits
    torch.testing.assert_close(other[usual.bool()], own[usual.bool()])


def test_an_answer_fed_in_two_pieces(glm: Any, pieces: Any) -> None:
    ids = torch.tensor([pieces("你好", "灯还亮着。").input_ids])
    start = int((ids[0] == pieces.bos_token_id).nonzero()[0, 0]) + 1
    places, cache = positions.token_positions(ids, glm.config), DynamicCache()
    with torch.inference_mode():
        first = glm(input_ids=ids[:, :start], past_key_values=cache).logits
        second = glm(
            input_ids=ids[:, start:], position_ids=places[:, :, start:], past_key_values=cache
        ).logits
        whole = glm(input_ids=ids).logits
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, atol=1e-4, rtol=1e-4)


def test_streaming(glm: Any, pieces: Any, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = pieces(["你好"], return_tensors="pt")
    streamer = TextStreamer(pieces, skip_prompt=True, errors="replace")
    ids = glm.generate(**inputs, **GREEDY, streamer=streamer)
    wanted = pieces.decode(ids[0, inputs["input_ids"].shape[1] :], errors="replace")
    assert capsys.readouterr().out == f"{wanted}\n"


def test_a_padding_id_that_was_typed_is_a_token(glm: Any, pieces: Any) -> None:
    inputs = pieces(["灯<pad>亮"], return_tensors="pt")
    everything = torch.ones_like(inputs["input_ids"])
    assert torch.equal(
        glm.generate(**inputs, **GREEDY),
        glm.generate(**inputs, attention_mask=everything, **GREEDY),
    )


def test_an_empty_prompt(glm: Any, pieces: Any) -> None:
    inputs = pieces([""], return_tensors="pt")
    assert inputs["input_ids"].shape == (1, 2) and glm.generate(**inputs, **GREEDY).shape[1] > 2


def test_a_prompt_longer_than_the_model(glm: Any, pieces: Any) -> None:
    inputs = pieces(["灯" * 80], return_tensors="pt")
    count = inputs["input_ids"].shape[1]
    with pytest.raises(
        PromptError, match=f"{count} tokens are more than the 64 that the model holds: shorten"
    ):
        glm.generate(**inputs, **GREEDY)


def test_rows_without_sop(glm: Any) -> None:
    with pytest.raises(
        ValueError,
        match=r"rows \[0\] have no sop \(id \d+\): let the tokenizer add the special tokens",
    ):
        glm.generate(torch.tensor([[20, 21, glm.config.gmask_token_id]]), **GREEDY)


def test_positions_and_masks_of_another_form(glm: Any, pieces: Any) -> None:
    ids = encode(pieces, "你好")["input_ids"]
    with pytest.raises(ValueError, match=r"ChatGLM takes position_ids \[b, 2, q\], not \[1, \d\]"):
        glm(input_ids=ids, position_ids=torch.arange(ids.shape[1])[None])
    with pytest.raises(ValueError, match="must be bool with True = blocked, not torch.float32"):
        glm(input_ids=ids, attention_mask=torch.zeros(1, 1, ids.shape[1], ids.shape[1]))
    with pytest.raises(ValueError, match="generate takes the tokenizer's own mask"):
        inputs = encode(pieces, "你好")
        inputs["attention_mask"][0, 0, 1, 0] = True
        glm.generate(**inputs, **GREEDY)


@pytest.mark.parametrize(("wanted", "dtype"), [("float16", torch.float32), ("auto", torch.float16)])
def test_rotary_tables_can_be_those_of_training(glm: Any, wanted: str, dtype: torch.dtype) -> None:
    glm.config.rotary_dtype = wanted
    places = torch.full((1, 2, 1), 511)
    half, _ = positions.rotary_tables(places, head_dim=glm.config.head_dim, dtype=torch.float16)
    assert torch.equal(glm.transformer._rotary(places, dtype)[0], half.to(dtype))
