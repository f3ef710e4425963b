"""A client for any OpenAI-compatible endpoint that retries what passes and says plainly what does not.

    endpoint = Endpoint(settings_from("gpt-4o-mini"))       # OPENAI_BASE_URL and OPENAI_API_KEY
    entry = await endpoint.ask(question)                    # an Entry for the ledger

429 (Retry-After is obeyed), 5xx, timeouts and dropped connections are tried again with growing, jittered pauses; a
wrong key, a wrong address and an empty account are not. The way to ask for JSON that the endpoint refuses is not
tried again in this run. The key is in no repr, message or file. It keeps nothing and bounds nothing: see asking.py.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from roleplay.distill.ledger import Entry
from roleplay.distill.questions import MODES, Mode, Question
from roleplay.errors import ModelError

DEFAULT_URL = "https://api.openai.com/v1"
_LONGEST_PAUSE = 120.0
_FORM_REFUSED = (400, 415, 422, 501)
_OPTIONAL = ("max_tokens", "temperature")
_RETRIED = (408, 409, 425, 429)


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
            raise EndpointError(f"--concurrency is {self.concurrency}, attempts {self.attempts}: both are 1 or more")


def settings_from(model: str, *, base_url: str | None = None, **more: Any) -> EndpointSettings:
    """The settings with what OPENAI_BASE_URL and OPENAI_API_KEY say; a local address needs no key.

    Raises:
        EndpointError: no key for the default address.
    """
    url = base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and url == DEFAULT_URL:
        raise EndpointError(f"no API key for {url}: set OPENAI_API_KEY, or name another endpoint with OPENAI_BASE_URL")
    return EndpointSettings(model, url, key, **more)


class Endpoint:
    """One endpoint in one run; use it as ``async with``."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.modes: list[Mode] = list(MODES)
        """The ways to ask for JSON that were not refused, the strictest first."""
        self.refused: set[str] = set()
        """Parameters that the model does not take (max_tokens, temperature), as reasoning models do."""
        self.closing = False
        """Set when the run ends: what was sent is still awaited, nothing is sent again."""
        self._reached = False
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key or "none", base_url=settings.base_url, timeout=settings.timeout, max_retries=0
        )

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.close()

    async def ask(self, question: Question) -> Entry:
        """The answer, complete or cut (``finish`` tells).

        Raises:
            EndpointError: wrong key, address or model, or no answer after all attempts.
        """
        attempt = 0
        while True:
            mode, left_out = self.modes[0], frozenset(self.refused)
            try:
                return await self._once(question, mode)
            except (openai.APIError, TimeoutError) as error:
                if self._other_form(error, mode, left_out):
                    continue
                attempt += 1
                self._refuse_hopeless(error)
                if self.closing or attempt >= self.settings.attempts:
                    raise self._told(f"failed {attempt} times, at last with {_kind(error)}") from error
                await asyncio.sleep(self._pause(error, attempt))

    async def _once(self, question: Question, mode: Mode) -> Entry:
        async with asyncio.timeout(self.settings.timeout):
            reply = await self._client.chat.completions.create(**self._body(question, mode))
        choice = reply.choices[0] if isinstance(reply, ChatCompletion) and reply.choices else None
        if choice is None:
            raise self._told("answered with something that is no chat completion: its address often ends in /v1")
        self._reached = True
        usage = reply.usage
        return Entry(
            key=question.key,
            task=question.task,
            model=question.model,
            text=choice.message.content or "",
            finish=choice.finish_reason or "stop",
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
        )

    def _body(self, question: Question, mode: Mode) -> dict[str, Any]:
        body = {name: value for name, value in question.body(mode).items() if name not in self.refused}
        return body | ({"max_completion_tokens": question.max_tokens} if "max_tokens" in self.refused else {})

    def _other_form(self, error: Exception, mode: Mode, left_out: frozenset[str]) -> bool:
        """Whether to ask again in another form because the endpoint refused this one."""
        if not isinstance(error, openai.APIStatusError) or error.status_code not in _FORM_REFUSED:
            return False
        named = {name for name in _OPTIONAL if re.search(rf"\b{name}\b", error.message)} - left_out
        if named:
            self.refused |= named
            return True
        if mode == "text":
            return False
        if mode in self.modes:
            self.modes.remove(mode)
        return True

    def _refuse_hopeless(self, error: Exception) -> None:
        """Raise for what no second try can mend."""
        if isinstance(error, openai.APIStatusError):
            status = error.status_code
            if status in (401, 403):
                raise self._told(f"refused the key ({status}): check OPENAI_API_KEY") from error
            if status == 404:
                known = f"has no chat completions or no model {self.settings.model!r} (404)"
                raise self._told(f"{known}: check the address (it often ends in /v1) and --model") from error
            if status == 429 and "insufficient_quota" in str(error.code):
                raise self._told("says that the account is empty (429): top it up and run again") from error
            if status < 500 and status not in _RETRIED:
                raise self._told(f"refused the question ({status}): check --model and --max-chars") from error
        elif isinstance(error, openai.APIConnectionError) and not (self._reached or _may_pass(error)):
            raise self._told("cannot be reached: check OPENAI_BASE_URL, and that the server runs") from error

    def _told(self, what: str) -> EndpointError:
        return EndpointError(f"{self.settings.base_url} {what}")

    def _pause(self, error: Exception, attempt: int) -> float:
        """As long as the endpoint asked for, else twice as long each time, give or take a half."""
        headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
        if (asked := retry_after(headers)) is not None:
            return float(asked) + random.uniform(0, 0.1) * self.settings.pause
        return min(self.settings.pause * 2.0 ** (attempt - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.5)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of Retry-After (a number or a date) or retry-after-ms, at most two minutes; None without either."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return _bounded(float(headers.get(name, "")) * unit)
        except ValueError:
            continue
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return _bounded(until.timestamp() - time.time())


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_PAUSE)


def _may_pass(error: openai.APIConnectionError) -> bool:
    """Whether somebody was there: a timeout or a connection that broke, and not one that was refused."""
    return isinstance(error, openai.APITimeoutError) or type(error.__cause__).__name__ != "ConnectError"


def _kind(error: Exception) -> str:
    status = f" {error.status_code}" if isinstance(error, openai.APIStatusError) else ""
    return f"{type(error).__name__}{status}"
