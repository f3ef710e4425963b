"""Prompt/response rows as token ids for a prefix language model, which reads the prompt both ways.

row = encode_example(tokenizer, example, max_source=512, max_target=128)
row.ids        # prompt [gMASK] sop answer eop
row.weights    # 0 up to sop, then the row's weight

The published recipe also trains on sop, predicted at [gMASK]. Here it is no target: whoever asks
puts it into the prompt, so it would only take a share of the loss. ChatGLM's own rule accepts
either (SPEC 2.6).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roleplay.errors import DatasetError
from roleplay.messages import message
from roleplay.records import Example
from roleplay.training.data import TokenRow, read_records


def encode_example(
    tokenizer: Any, example: Example, *, max_source: int, max_target: int
) -> TokenRow:
    """One row, cut from the end of the prompt and from the start of the answer.

    Args:
        tokenizer: with ``text_ids``, ``encode_answer`` and ``build_inputs_with_special_tokens``.
        max_source: tokens of the prompt, specials not counted; the newest lines and the cue stay.
        max_target: tokens of the answer, its end token not counted; a longer one has no end.
    """
    newest = tokenizer.text_ids(example.prompt)[-max_source:]
    prompt = tokenizer.build_inputs_with_special_tokens(newest)
    answer = tokenizer.encode_answer(example.response)
    # One more for the end token; an answer that is cut must not teach to stop there.
    if len(answer) > max_target + 1:
        answer = answer[:max_target]
    weights = (0.0,) * len(prompt) + (example.weight,) * len(answer)
    return TokenRow((*prompt, *answer), weights, general=example.task == "general")


def encode_examples(
    tokenizer: Any, examples: Sequence[Example], *, max_source: int, max_target: int
) -> list[TokenRow]:
    """All rows with a weight above 0.

    Raises:
        DatasetError: there are none.
    """
    limits = {"max_source": max_source, "max_target": max_target}
    if wanted := [example for example in examples if example.weight > 0]:
        return [encode_example(tokenizer, example, **limits) for example in wanted]
    raise DatasetError("training.no-answer")


def read_examples(path: Path) -> list[Example]:
    """The rows of ``train.json`` or ``test.json``; raises as :func:`read_records`."""
    return read_records(path, Example, message("training.row"))
