"""What is sent back: OpenAI's objects, whole or in pieces, and where a reply is cut.

form = Envelope(chat=True, model="chuiyan/闻筝", system="gemma3-270m + chuiyan-lora")
form.whole([Choice("没得商量。", "stop")], Usage(120, 5))
growing = Growing(2, stops=("。",))
growing.pieces(("没得", "漏"))       # what is certain and not sent yet
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Choice:
    """A finished reply."""

    text: str
    finish: Finish


@dataclass(frozen=True)
class Usage:
    """Tokens read and written."""

    prompt: int
    completion: int

    def to_json(self) -> dict[str, int]:
        """OpenAI's usage object."""
        total = self.prompt + self.completion
        names = ("prompt_tokens", "completion_tokens", "total_tokens")
        return dict(zip(names, (self.prompt, self.completion, total), strict=True))


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the stop that is complete first, and whether there is one."""
    places = [(place + len(stop), place) for stop in stops if (place := text.find(stop)) >= 0]
    return (text[: min(places)[1]], True) if places else (text, False)


def certain(text: str, stops: Sequence[str]) -> str:
    """What of a growing text is in no stop that may still become whole."""
    begun = [size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])]
    return text[: len(text) - max(begun, default=0)]


class Growing:
    """Replies that are sent in pieces."""

    def __init__(self, count: int, stops: Sequence[str]) -> None:
        self._stops = stops
        self._sent = [""] * count
        self.texts = [""] * count
        """The replies so far, cut at the first stop."""
        self.stopped = [False] * count
        """Which of them have met a stop."""

    @property
    def done(self) -> bool:
        """Whether no more can come."""
        return all(self.stopped)

    def pieces(self, candidates: Sequence[str], *, last: bool = False) -> list[str]:
        """What is to be sent now of each reply; ``last``: nothing of it comes later."""
        made = []
        for place, text in enumerate(candidates):
            if not self.stopped[place]:
                self.texts[place], self.stopped[place] = cut(text, self._stops)
            whole = last or self.stopped[place]
            sure = self.texts[place] if whole else certain(self.texts[place], self._stops)
            sent = self._sent[place]
            # Where a tokenizer changes what it wrote before, nothing is sent until it has grown on.
            made.append(sure[len(sent) :] if sure.startswith(sent) else "")
            self._sent[place] += made[-1]
        return made


@dataclass(frozen=True)
class Envelope:
    """What stands around the replies to one request; ``system`` names model and adapter."""

    chat: bool
    model: str
    system: str
    number: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, choices: Sequence[Choice], usage: Usage) -> dict[str, Any]:
        """The answer in one piece."""
        rows = []
        for index, choice in enumerate(choices):
            row = self._row(index, choice.finish)
            message = {"role": "assistant", "content": choice.text, "refusal": None}
            rows.append(row | ({"message": message} if self.chat else {"text": choice.text}))
        kind = "chat.completion" if self.chat else "text_completion"
        return self._head(kind) | {"choices": rows, "usage": usage.to_json()}

    def opening(self, index: int) -> dict[str, Any]:
        """The chunk that says who speaks."""
        delta = {"role": "assistant", "content": ""}
        return self._chunk([self._row(index, None) | {"delta": delta}])

    def piece(self, index: int, text: str) -> dict[str, Any]:
        """A chunk with text."""
        more = {"delta": {"content": text}} if self.chat else {"text": text}
        return self._chunk([self._row(index, None) | more])

    def end(self, index: int, finish: Finish) -> dict[str, Any]:
        """The chunk that says why a reply ended."""
        more: dict[str, Any] = {"delta": {}} if self.chat else {"text": ""}
        return self._chunk([self._row(index, finish) | more])

    def usage(self, usage: Usage) -> dict[str, Any]:
        """The chunk after all replies."""
        return self._chunk([]) | {"usage": usage.to_json()}

    def _row(self, index: int, finish: Finish | None) -> dict[str, Any]:
        return {"index": index, "logprobs": None, "finish_reason": finish}

    def _chunk(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        return self._head(kind) | {"choices": rows, "usage": None}

    def _head(self, kind: str) -> dict[str, Any]:
        name = f"{'chatcmpl' if self.chat else 'cmpl'}-{self.number}"
        about = {"id": name, "object": kind, "created": self.created, "model": self.model}
        return about | {"system_fingerprint": self.system}
