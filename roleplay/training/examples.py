"""Prompt/response rows as token ids for a prefix language model, which reads the prompt both ways and answers one way.

row = encode_example(tokenizer, example, max_source=512, max_target=128)
row.ids        # prompt [gMASK] sop answer eop
row.weights    # 0 up to sop, then the row's weight

The published recipe also learns sop, predicted at [gMASK]. Here it is not learnt: whoever asks puts it into the prompt, it
is never drawn, so it would only take a share of the loss. ChatGLM's own rule accepts either (SPEC 2.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roleplay.errors import DatasetError
from roleplay.records import Example
from roleplay.training.data import TokenRow, read_records


def encode_example(tokenizer: Any, example: Example, *, max_source: int, max_target: int) -> TokenRow:
    """One row, cut from the end of the prompt and from the start of the answer.

    Args:
        tokenizer: with ``text_ids``, ``encode_answer`` and ``build_inputs_with_special_tokens``.
        max_source: the longest prompt in tokens, specials not counted; a longer one loses its oldest, so that the cue
            and the newest lines stay.
        max_target: the longest answer in tokens, its end token not counted; a longer one is cut, and no end is learnt.
    """
    prompt = tokenizer.build_inputs_with_special_tokens(tokenizer.text_ids(example.prompt)[-max_source:])
    answer = tokenizer.encode_answer(example.response)
    if len(answer) > max_target + 1:
        answer = answer[:max_target]
    weights = (0.0,) * len(prompt) + (example.weight,) * len(answer)
    return TokenRow((*prompt, *answer), weights, general=example.task == "general")


def encode_examples(tokenizer: Any, examples: Sequence[Example], *, max_source: int, max_target: int) -> list[TokenRow]:
    """All rows with a weight above 0.

    Raises:
        DatasetError: there are none.
    """
    wanted = [example for example in examples if example.weight > 0]
    if not wanted:
        raise DatasetError("no row has an answer to learn: check the characters' names and the script's speakers")
    return [encode_example(tokenizer, example, max_source=max_source, max_target=max_target) for example in wanted]


def read_examples(path: Path) -> list[Example]:
    """The rows of ``train.json`` or ``test.json``.

    Raises:
        WorldError: the file is missing or not JSON Lines.
        DatasetError: a row is of another form; the message says which.
    """
    return read_records(path, Example, "prompt/response row")
