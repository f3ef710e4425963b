"""A question to a model: its messages from a prompt file, the form of the answer, and its content hash.

    question = ask_for("label", "gpt-4o-mini", slots, schema=LABELS, expected_tokens=400)
    question.key            # the same for the same question in every run
    question.body("json_schema")    # what is sent to /v1/chat/completions

A prompt file (prompts/NAME.txt) has named slots, ``{{cast}}``, and a line ``---`` between the system's and the user's
text. This module sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from roleplay.distill.ledger import request_key
from roleplay.errors import PromptError

PROMPTS = Path(__file__).with_name("prompts")
MODES: tuple[Mode, ...] = ("json_schema", "json_object", "text")
"""How an answer's form can be asked for, the strictest first."""

Mode = Literal["json_schema", "json_object", "text"]
_SLOT = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Question:
    """One call; ``max_tokens`` bounds its answer."""

    task: str
    model: str
    messages: tuple[dict[str, str], ...]
    schema: Mapping[str, Any]
    expected_tokens: int = 500

    @property
    def max_tokens(self) -> int:
        """Room for twice the expected answer and some words around it."""
        return 2 * self.expected_tokens + 200

    @cached_property
    def key(self) -> str:
        """The content hash: task, model, messages and settings."""
        return request_key(self.task, self.model, self.messages, {"temperature": 0, "max_tokens": self.max_tokens})

    def body(self, mode: Mode) -> dict[str, Any]:
        """The request as an OpenAI-compatible endpoint takes it."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(self.messages),
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }
        if mode == "json_schema":
            schema = {"name": self.task, "strict": True, "schema": dict(self.schema)}
            body["response_format"] = {"type": mode, "json_schema": schema}
        elif mode == "json_object":
            body["response_format"] = {"type": mode}
        return body


def ask_for(
    task: str, model: str, slots: Mapping[str, str], *, schema: Mapping[str, Any], expected_tokens: int
) -> Question:
    """The question of a prompt file with its slots filled.

    Raises:
        PromptError: the file is missing, or its slots and ``slots`` differ; the message names all of them.
    """
    return Question(task, model, messages_of(read_prompt(task), slots, task), schema, expected_tokens)


@lru_cache
def read_prompt(task: str) -> str:
    """The text of prompts/TASK.txt.

    Raises:
        PromptError: there is none; the message lists the known ones.
    """
    path = PROMPTS / f"{task}.txt"
    if not path.exists():
        known = " ".join(sorted(item.stem for item in PROMPTS.glob("*.txt")))
        raise PromptError(f"no prompt {path}: known are {known}")
    return path.read_text(encoding="utf-8")


def messages_of(template: str, slots: Mapping[str, str], name: str) -> tuple[dict[str, str], ...]:
    """The system's and the user's message.

    Raises:
        PromptError: as :func:`ask_for`.
    """
    wanted = set(_SLOT.findall(template))
    if wanted != set(slots):
        missing, extra = sorted(wanted - set(slots)), sorted(set(slots) - wanted)
        raise PromptError(f"prompt {name}: no value for {missing}, no slot for {extra}: mend the file or the caller")
    system, _, user = template.partition("\n---\n")
    texts = [_SLOT.sub(lambda match: slots[match[1]], part.strip()) for part in (system, user)]
    return {"role": "system", "content": texts[0]}, {"role": "user", "content": texts[1]}


def array_of(name: str, /, **properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of ``{name: [{...}, ...]}`` with all ``properties`` required, as strict mode wants it."""
    item = {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": item}},
        "required": [name],
        "additionalProperties": False,
    }
