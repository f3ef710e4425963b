"""What a backend is: one method that streams, and a few facts about itself.

for snapshot in backend.stream(prompt, n=5, params=SamplingParams()):
    ...                       # five strings, each the reply so far
replies = generate(backend, prompt, n=5, params=SamplingParams())
"""

from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams


class Backend(Protocol):
    """Turns prompts into replies. Callers never ask for its class."""

    name: str
    context: int
    """The most tokens of prompt and reply together."""

    def count(self, text: str) -> int:
        """Tokens of ``text``."""

    def stream(self, prompt: Prompt, *, n: int, params: SamplingParams) -> Iterator[list[str]]:
        """Yield the ``n`` replies as they grow; each ends before the first line break.

        Raises:
            SamplingError: ``n`` is out of range.
        """

    def paused(self) -> AbstractContextManager[Any]:
        """Wait until no reply is being written; new ones wait as long as this is held."""


def generate(backend: Backend, prompt: Prompt, *, n: int, params: SamplingParams) -> list[str]:
    """The ``n`` finished replies."""
    last = deque(backend.stream(prompt, n=n, params=params), maxlen=1)
    return list(last[0])
