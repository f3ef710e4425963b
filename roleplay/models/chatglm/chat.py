r"""ChatGLM's own chat: the prompt with numbered rounds, and one call that answers it.

    build_prompt("几岁？", [("你好", "你好！")])   # [Round 0]\n问：你好\n答：你好！\n[Round 1]\n问：几岁？\n答：
    response, history = chat(model, tokenizer, "你好")

Source: SPEC 7. The role-playing prompts of this program are in ``roleplay.prompts``, not here.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from roleplay.models.chatglm.tokenizer import clean_response

Rounds = Sequence[tuple[str, str]]

DEFAULTS = {
    "max_length": 2048,
    "num_beams": 1,
    "do_sample": True,
    "top_p": 0.7,
    "temperature": 0.95,
}
"""How the original generates; ``max_length`` counts the prompt, which is not cut."""

_FALLBACK, _CERTAIN = 5, 5e4


def build_prompt(query: str, history: Rounds | None = None) -> str:
    """The query itself, or after past rounds the numbered transcript with an open answer."""
    if not history:
        return query
    rounds = [
        f"[Round {number}]\n问：{asked}\n答：{answer}\n"
        for number, (asked, answer) in enumerate(history)
    ]
    return "".join(rounds) + f"[Round {len(history)}]\n问：{query}\n答："


class NanScores(LogitsProcessor):  # type: ignore[misc]
    """A row of scores with NaN in it becomes a certain blank (id 5); all others stay as they are.

    The original also takes +-inf as broken, and all rows of the batch with one; then any processor
    that forbids a token with -inf turns the whole answer into blanks.
    """

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """float [b, v] -> [b, v]."""
        broken = scores.isnan().any(dim=-1, keepdim=True)
        certain = torch.zeros_like(scores)
        certain[:, _FALLBACK] = _CERTAIN
        return torch.where(broken, certain, scores)


def chat(
    model: Any, tokenizer: Any, query: str, history: Rounds | None = None, **settings: Any
) -> tuple[str, list[tuple[str, str]]]:
    """One round: the response, and a longer copy of the history.

    Args:
        model: with the head.
        tokenizer: a :class:`ChatGLMTokenizer`.
        query: what is asked now.
        history: the rounds before, which is not changed.
        settings: of ``generate``, over ``DEFAULTS``; own processors run before :class:`NanScores`.
    """
    inputs = tokenizer([build_prompt(query, history)], return_tensors="pt").to(model.device)
    processors = LogitsProcessorList([*settings.pop("logits_processor", ()), NanScores()])
    ids = model.generate(**inputs, **(DEFAULTS | settings), logits_processor=processors)
    new = ids[0, inputs["input_ids"].shape[1] :].tolist()
    response = clean_response(tokenizer.decode(new, errors="replace"))
    return response, [*map(_pair, history or ()), (query, response)]


def _pair(entry: Sequence[str]) -> tuple[str, str]:
    return entry[0], entry[1]
