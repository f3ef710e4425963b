"""A backend that says what it was told to say: for tests of everything above the model, and for demonstrations.

    backend = ScriptedBackend(["没得商量。", "漏了漏了，全漏了！"])

Replies are taken in turn and start again at the end; they stream character by character. One character counts as one
token.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

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
