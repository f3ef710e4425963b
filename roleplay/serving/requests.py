"""The bodies of requests: what is understood of them, and how it must be.

    ChatRequest.model_validate_json(b'{"model": "chuiyan/闻筝", "messages": [...], "n": 3}')

Fields that clients send and that mean nothing here (penalties, logit_bias, logprobs, other
samplers) are passed over; what would change the form of the answer (images, echo) is refused.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from roleplay.errors import FormError
from roleplay.sampling import MAX_NEW_TOKENS, MAX_SAMPLES, SamplingParams

_RANDOM = -1  # how clients of llama.cpp and others say: another seed each time


def _plain(content: Any) -> Any:
    """The text of a message; parts of text are joined."""
    if not isinstance(content, list):
        return "" if content is None else content
    texts = [part.get("text") if isinstance(part, dict) else None for part in content]
    found = [text for text in texts if isinstance(text, str)]
    if len(found) < len(texts):
        raise FormError("serving.no-text")
    return "\n".join(found)


def _several(stop: Any) -> Any:
    if isinstance(stop, list):
        return tuple(stop)
    return () if stop is None else (stop,)


def _single(prompt: Any) -> Any:
    """A prompt, also as a list of one."""
    if isinstance(prompt, list):
        if len(prompt) != 1 or not isinstance(prompt[0], str):
            raise FormError("serving.one-prompt")
        return prompt[0]
    return prompt


def _refused(value: Any) -> None:
    if value:
        raise FormError("serving.unsupported")


Text = Annotated[str, BeforeValidator(_plain)]
Stops = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
    Field(max_length=64),
    BeforeValidator(_several),
]
Unsupported = Annotated[None, BeforeValidator(_refused)]


class _Form(BaseModel):
    """Base: strict about types, lenient about fields that it does not know."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Message(_Form):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text = ""
    name: str | None = None


class StreamOptions(_Form):
    """What a stream tells beside the text."""

    include_usage: bool | None = None


class Request(_Form):
    """What both kinds of request have in common."""

    model: str
    n: int | None = Field(None, ge=1, le=MAX_SAMPLES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: Stops = ()
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)

    @property
    def count(self) -> int:
        """How many replies."""
        return self.n or 1

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def params(self) -> SamplingParams:
        """How tokens are drawn; what is not said is as on the page.

        Raises ValidationError: a value out of range, by the name of the request's field.
        """
        most = self.max_completion_tokens or self.max_tokens
        values = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": None if self.top_k is None else max(self.top_k, 0),
            "repetition_penalty": self.repetition_penalty,
            "seed": None if self.seed == _RANDOM else self.seed,
            # It is the most that a client wants: no reply of ours is longer than our own most.
            "max_new_tokens": None if most is None else min(most, MAX_NEW_TOKENS),
        }
        given = {name: value for name, value in values.items() if value is not None}
        return SamplingParams.model_validate(given)


class ChatRequest(Request):
    """The body of ``/v1/chat/completions``."""

    messages: list[Message] = Field(min_length=1)


class CompletionRequest(Request):
    """The body of ``/v1/completions``."""

    prompt: Annotated[str, BeforeValidator(_single)]
    echo: Unsupported = None
    suffix: Unsupported = None
