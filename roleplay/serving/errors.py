"""What a request is refused with: an HTTP status and OpenAI's error object.

raise UnknownModelError("serving.unknown-model", name=name, known=known).at("model")
# 404 {"error": {"message": "...", "type": "invalid_request_error", "param": "model",
#                "code": "model_not_found"}}
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import ValidationError

from roleplay.errors import (
    DialogueError,
    FormError,
    PromptError,
    RoleplayError,
    SamplingError,
    reason,
)
from roleplay.messages import Language


class RequestError(RoleplayError):
    """A request that cannot be answered as it is."""

    status = 400
    kind = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    headers: ClassVar[Mapping[str, str]] = {}

    def at(self, param: str) -> Self:
        """The same, with the field that it is about."""
        self.param = param
        return self


class KeyRefusedError(RequestError):
    """No key, or not the right one."""

    status, code = 401, "invalid_api_key"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class OriginRefusedError(RequestError):
    """A web page of somewhere else asks, and no key protects the API."""

    status, kind = 403, "permission_error"


class UnknownModelError(RequestError):
    """Nobody is called so."""

    status, code = 404, "model_not_found"


class TooLargeError(RequestError):
    """The body is over the limit."""

    status, code = 413, "request_too_large"


class LineFullError(RequestError):
    """As many wait as may."""

    status, kind, code = 429, "rate_limit_error", "rate_limit_exceeded"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


class NotReadyError(RequestError):
    """There is no model to answer, yet or any more."""

    status, kind, code = 503, "service_unavailable_error", "model_not_ready"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


class BrokenError(RequestError):
    """A fault of ours; the log has the details."""

    status, kind = 500, "server_error"


def refusal(error: Exception) -> RequestError:
    """What an error means to the client."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, ValidationError):
        place = ".".join(map(str, error.errors()[0]["loc"]))
        told = RequestError("plain", text=reason(error))
        return told.at(place) if place else told
    if isinstance(error, PromptError):
        long = RequestError("plain", text=error.message)
        long.code = "context_length_exceeded"
        return long
    if isinstance(error, SamplingError | DialogueError | FormError):
        return RequestError("plain", text=error.message)
    if isinstance(error, RoleplayError):
        return NotReadyError("plain", text=error.message)
    return BrokenError("serving.broken", kind=type(error).__name__)


def error_object(error: RequestError, language: Language) -> dict[str, Any]:
    """The body of an error response, or an event of a stream that has begun."""
    about = {"type": error.kind, "param": error.param, "code": error.code}
    return {"error": {"message": error.text(language), **about}}
