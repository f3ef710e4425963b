"""A request to a model: its messages from a prompt file, the answer's form, and its content hash.

    request = request_for("label", "gpt-4o-mini", slots, expected_tokens=400)
    request.key            # the same for the same request in every run
    request.body("json_schema")    # what is sent to /v1/chat/completions

A prompt file (prompts/NAME.txt) has named slots, ``{{cast}}``, and a line ``---`` between the
system's and the user's text; NAME.schema.json is the form of the answer. Nothing is sent here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from roleplay import files
from roleplay.errors import PromptError

Mode = Literal["json_schema", "json_object", "text"]
MODES: tuple[Mode, ...] = ("json_schema", "json_object", "text")
"""How an answer's form can be asked for, the strictest first."""

_PROMPTS = Path(__file__).with_name("prompts")
_SLOT = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class LLMRequest:
    """One call; ``max_tokens`` bounds its answer."""

    task: str
    model: str
    messages: tuple[dict[str, str], ...]
    schema: Mapping[str, Any]
    expected_tokens: int = 500
    room: int = 0
    """Tokens for thinking, beside those of the answer."""

    @property
    def max_tokens(self) -> int:
        """Room for twice the expected answer and some words around it, and to think."""
        return 2 * self.expected_tokens + 200 + self.room

    @cached_property
    def key(self) -> str:
        """The content hash: task, model, messages and settings; not ``room``, nor the JSON mode."""
        parts = (self.messages, {"temperature": 0, "max_tokens": self.max_tokens - self.room})
        hashed = (json.dumps(part, sort_keys=True, ensure_ascii=False) for part in parts)
        return files.digest(self.task, self.model, *hashed)

    def body(self, mode: Mode) -> dict[str, Any]:
        """The request as an OpenAI-compatible endpoint takes it."""
        body: dict[str, Any] = {"model": self.model, "messages": list(self.messages)}
        body |= {"temperature": 0, "max_tokens": self.max_tokens}
        schema = {"name": self.task, "strict": True, "schema": dict(self.schema)}
        extra = {"json_schema": schema} if mode == "json_schema" else {}
        return body if mode == "text" else body | {"response_format": {"type": mode, **extra}}


def request_for(
    task: str, model: str, slots: Mapping[str, str], *, expected_tokens: int
) -> LLMRequest:
    """A prompt file with its slots filled; PromptError, with all of them, if any are wrong."""
    messages = messages_of(read_prompt(task), slots, task)
    return LLMRequest(task, model, messages, read_schema(task), expected_tokens)


@lru_cache
def read_prompt(task: str) -> str:
    """The text of prompts/TASK.txt; PromptError, with the known ones, if there is none."""
    path = _PROMPTS / f"{task}.txt"
    if not path.exists():
        known = " ".join(sorted(item.stem for item in _PROMPTS.glob("*.txt")))
        raise PromptError("distill.no-prompt", path=path, known=known)
    return path.read_text(encoding="utf-8")


@lru_cache
def read_schema(task: str) -> dict[str, Any]:
    """The answer's JSON schema; all fields are required, as strict mode wants."""
    path = _PROMPTS / f"{task}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def messages_of(template: str, slots: Mapping[str, str], name: str) -> tuple[dict[str, str], ...]:
    """The system's and the user's message; raises as :func:`request_for`."""
    wanted, given = set(_SLOT.findall(template)), set(slots)
    if wanted != given:
        values = {"missing": f"{sorted(wanted - given)}", "extra": f"{sorted(given - wanted)}"}
        raise PromptError("distill.prompt-slots", name=name, **values)
    system, _, user = template.partition("\n---\n")
    # All at once: a novel that has {{cast}} in it fills no slot.
    system, user = (_SLOT.sub(lambda m: slots[m[1]], part.strip()) for part in (system, user))
    return {"role": "system", "content": system}, {"role": "user", "content": user}
