"""A client for any OpenAI-compatible endpoint: it retries what passes and tells what does not.

    endpoint = Endpoint(settings_from("gpt-4o-mini"))       # OPENAI_BASE_URL and OPENAI_API_KEY
    entry = await endpoint.ask(request)                    # an Entry for the ledger

429 (Retry-After is obeyed), 5xx, timeouts and dropped connections are tried again with growing,
jittered pauses; a wrong key or address and an empty account are not. A way to ask for JSON that the
endpoint refuses is not tried again in this run. The key is in no repr, message or file.
"""

import asyncio
import os
import random
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Self

import openai

from roleplay.distill.llm.ledger import NO_COMPLETION, Entry
from roleplay.distill.llm.requests import MODES, LLMRequest, Mode
from roleplay.errors import ModelError

DEFAULT_URL = "https://api.openai.com/v1"
_LONGEST_PAUSE = 120.0
# What servers answer that do not know response_format, or a parameter.
_FORM_REFUSED = (400, 415, 422, 501)
_OPTIONAL = ("max_tokens", "temperature")
# Below 500, yet they pass: timeout, conflict, too early, too many requests.
_RETRIED = (408, 409, 425, 429)
_HOPELESS = {404: "distill.endpoint-missing"} | dict.fromkeys((401, 403), "distill.endpoint-key")


class EndpointError(ModelError):
    """The endpoint cannot be used, or failed too often; what was paid for is in the ledger."""


@dataclass(frozen=True)
class EndpointSettings:
    """Where to ask and how patiently; times in seconds."""

    model: str
    base_url: str = DEFAULT_URL
    api_key: str = field(default="", repr=False)
    concurrency: int = 8
    timeout: float = 180.0
    attempts: int = 8
    pause: float = 1.0

    def __post_init__(self) -> None:
        if min(self.concurrency, self.attempts) < 1:
            counts = {"concurrency": self.concurrency, "attempts": self.attempts}
            raise EndpointError("distill.endpoint-settings", **counts)


def settings_from(model: str, *, base_url: str | None = None, **more: Any) -> EndpointSettings:
    """By OPENAI_BASE_URL and OPENAI_API_KEY; EndpointError if the default address has no key."""
    url = base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and url == DEFAULT_URL:
        raise EndpointError("distill.endpoint-no-key", url=url)
    return EndpointSettings(model, url, key, **more)


class Endpoint:
    """One endpoint in one run; use it as ``async with``."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.modes: list[Mode] = list(MODES)
        """The ways to ask for JSON that were not refused, the strictest first."""
        self.refused: set[str] = set()
        """Parameters that the model does not take (max_tokens, temperature: reasoning models)."""
        self.closing = False
        """Set when the run ends: what was sent is still awaited, nothing is sent again."""
        self._reached = False
        key, url, timeout = settings.api_key or "none", settings.base_url, settings.timeout
        # Retries are ours: the library also repeats what is hopeless.
        client = openai.AsyncOpenAI(api_key=key, base_url=url, timeout=timeout, max_retries=0)
        self._client = client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.close()

    async def ask(self, request: LLMRequest) -> Entry:
        """The answer, complete or cut (``finish`` tells).

        Raises EndpointError: wrong key, address or model, or no answer after all attempts.
        """
        attempts = 0
        while True:
            mode, left_out = self.modes[0], frozenset(self.refused)
            try:
                return await self._once(request, mode)
            except (openai.APIError, TimeoutError) as error:
                if self._other_form(error, mode, left_out):
                    continue
                attempts += 1
                if hopeless := self._hopeless(error, attempts):
                    raise hopeless from error
                await asyncio.sleep(self._pause(error, attempts))

    async def _once(self, request: LLMRequest, mode: Mode) -> Entry:
        body = request.body(mode)
        if "max_tokens" in self.refused:
            body["max_completion_tokens"] = request.max_tokens
        body = {name: value for name, value in body.items() if name not in self.refused}
        # The client's own timeout begins anew with every byte that drips in.
        async with asyncio.timeout(self.settings.timeout):
            reply = await self._client.chat.completions.create(**body)
        self._reached = True
        asked = {"key": request.key, "task": request.task, "model": request.model}
        try:
            return Entry.of(reply.to_dict(warnings=False), **asked)
        except NO_COMPLETION as error:
            raise self._error("distill.endpoint-no-completion") from error

    def _other_form(self, error: Exception, mode: Mode, left_out: frozenset[str]) -> bool:
        """Whether to ask again in another form because the endpoint refused this one."""
        if not isinstance(error, openai.APIStatusError) or error.status_code not in _FORM_REFUSED:
            return False
        named = {name for name in _OPTIONAL if re.search(rf"\b{name}\b", error.message)} - left_out
        self.refused |= named
        # Another request may have found out the same in the meantime.
        if not named and mode != "text" and mode in self.modes:
            self.modes.remove(mode)
        return bool(named) or mode != "text"

    def _hopeless(self, error: Exception, attempts: int) -> EndpointError | None:
        """The error for what another try cannot mend, or must not."""
        if isinstance(error, openai.APIStatusError):
            status = error.status_code
            if status == 429 and "insufficient_quota" in str(error.code):
                return self._error("distill.endpoint-quota")
            if status < 500 and status not in _RETRIED:
                key = _HOPELESS.get(status, "distill.endpoint-refused")
                return self._error(key, status=status, model=self.settings.model)
        elif isinstance(error, openai.APIConnectionError) and not self._reached:
            # A timeout or a broken connection means that somebody is there, a refused one not.
            refused = type(error.__cause__).__name__ == "ConnectError"
            if refused and not isinstance(error, openai.APITimeoutError):
                return self._error("distill.endpoint-unreachable")
        if not self.closing and attempts < self.settings.attempts:
            return None
        failed = f"{type(error).__name__} {getattr(error, 'status_code', '')}".strip()
        return self._error("distill.endpoint-failed", attempts=attempts, detail=failed)

    def _error(self, key: str, **values: Any) -> EndpointError:
        return EndpointError(key, url=self.settings.base_url, **values)

    def _pause(self, error: Exception, attempts: int) -> float:
        """As long as the endpoint asked for, else twice as long each time, give or take a half."""
        headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
        if (asked := retry_after(headers)) is not None:
            return asked + random.uniform(0, 0.1) * self.settings.pause
        longest = min(self.settings.pause * 2.0 ** (attempts - 1), _LONGEST_PAUSE)
        return longest * random.uniform(0.5, 1.5)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of retry-after-ms or Retry-After (a number or a date), at most two minutes."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(ValueError):
            return _bounded(float(headers.get(name, "")) * unit)
    with suppress(ValueError):
        until = parsedate_to_datetime(headers.get("retry-after", ""))
        return _bounded(until.timestamp() - time.time())
    return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_PAUSE)
