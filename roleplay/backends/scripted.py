"""A backend that says what it was told to say: for tests of all above the model, and for showing.

    backend = ScriptedBackend(["没得商量。", "漏了漏了，全漏了！"])

Replies are taken in turn and start again at the end; they stream character by character, each of
which counts as one token.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams, check_samples


class ScriptedBackend:
    """Replies from a queue; ``prompts`` keeps what was asked."""

    name = "scripted"

    def __init__(self, replies: Sequence[str], *, context: int = 4096) -> None:
        self._replies = itertools.cycle(replies)
        self.context = context
        self.prompts: list[Prompt] = []

    def count(self, text: str) -> int:
        """One token a character."""
        return len(text)

    def stream(self, prompt: Prompt, *, n: int, params: SamplingParams) -> Iterator[list[str]]:
        """The next ``n`` replies, each cut at its first line break and at ``max_new_tokens``."""
        check_samples(n)
        self.prompts.append(prompt)
        texts = [next(self._replies).split("\n")[0][: params.max_new_tokens] for _ in range(n)]
        for end in range(1, max(1, *map(len, texts)) + 1):
            yield [text[:end] for text in texts]

    def paused(self) -> AbstractContextManager[Any]:
        """Nothing to wait for."""
        return nullcontext()
