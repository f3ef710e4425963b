"""A client for any OpenAI-compatible endpoint: it retries what passes and tells what does not.

    endpoint = Endpoint(settings_from("gpt-4o-mini"))       # OPENAI_BASE_URL and OPENAI_API_KEY
    entry = await endpoint.ask(request)                    # an Entry for the ledger

429 (Retry-After is obeyed), 5xx, timeouts and dropped connections are tried again with growing,
jittered pauses, also where they stand inside of a 200; a wrong key or address and an empty account
end the run, and what is wrong with one request ends that request alone. Ways to ask and parameters
that the endpoint refuses are learnt. The key is in no repr, message or file.
"""

import asyncio
import math
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx2
import openai

from roleplay.distill.llm.completion import Fault, parse, read_completion
from roleplay.distill.llm.costs import read_tokens
from roleplay.distill.llm.ledger import REFUSED, Entry
from roleplay.distill.llm.requests import MODES, LLMRequest, Mode
from roleplay.errors import ModelError
from roleplay.messages import Message, message
from roleplay.proxies import is_loopback

DEFAULT_URL = "https://api.openai.com/v1"
ATTEMPTS = 8
_LONGEST_PAUSE = 120.0
# What servers answer that do not know response_format, or a parameter.
_FORM_REFUSED = (400, 415, 422, 501)
# So many forms of one request are tried: two ways to ask for JSON and some parameters too many.
_MOST_FORMS = 6
_FORMAT = re.compile(r"response_format|json_?schema|json_?object|structured.outputs?|guided", re.I)
_MAX_TOKENS = re.compile(r"\bmax_(?:completion_)?tokens\b|context length", re.I)
# A parameter of another name is wanted, and not another value of this one.
_UNKNOWN = re.compile(r"unsupported|not supported|unknown|unrecognized|permitted|instead", re.I)
_SMALLEST_ROOM = 256
# Below 500, yet they pass: timeout, conflict, too early, too many requests.
_RETRIED = (408, 409, 425, 429)
_NO_MONEY = re.compile(r"insufficient[_ ](?:quota|balance|funds|credit)|arrear|欠费|余额不足", re.I)
# What may mean every request, and not what one of them says.
_REFUSALS = {401: "key", 403: "key", 404: "missing"}
# That many requests refused one after another, before any was answered, are no chance.
_ENOUGH = 3
_A_KEY = 8
# Whoever thinks is given more time, or what was thought is paid for in vain.
_THINKING_TIME = 4
# The group is what anyio makes of a redirect to a port that is none.
_BROKEN = (
    openai.APIConnectionError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    TimeoutError,
    ExceptionGroup,
)
# Of eight that wait one line is enough; in pauses.
_TOLD_EVERY = 3.0
_NOBODY_THERE = (httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol)


class EndpointError(ModelError):
    """The endpoint cannot be used, or failed too often; what was paid for is in the ledger."""


class RequestError(EndpointError):
    """This one request was refused or failed; others may be answered."""


@dataclass(frozen=True)
class EndpointSettings:
    """Where to ask and how patiently; times in seconds."""

    model: str
    base_url: str = DEFAULT_URL
    api_key: str = field(default="", repr=False)
    concurrency: int = 8
    timeout: float = 180.0
    attempts: int = ATTEMPTS
    pause: float = 1.0

    def __post_init__(self) -> None:
        # A header takes nothing else: a full-width key was copied with its surroundings.
        if not re.fullmatch(r"[!-~]*", self.api_key):
            raise EndpointError("distill.endpoint-key-form", url=self.base_url)


def settings_from(model: str, *, base_url: str | None = None, **more: Any) -> EndpointSettings:
    """By OPENAI_BASE_URL and OPENAI_API_KEY; EndpointError if the default address has no key."""
    url = (base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL).strip()
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and url == DEFAULT_URL:
        raise EndpointError("distill.endpoint-no-key", url=url)
    return EndpointSettings(model, url, key, **more)


class Endpoint:
    """One endpoint in one run; use it as ``async with``.

    Raises EndpointError: the address is none, or a proxy of the environment cannot be used.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.modes: list[Mode] = list(MODES)
        """The ways to ask for JSON that were not refused, the strictest first."""
        self.refused: set[str] = set()
        """Parameters that the model does not take (max_tokens, temperature: reasoning models)."""
        self.most_tokens = 10**9
        """The largest max_tokens that it takes."""
        self.answers = 0
        self.is_known = False
        """Whether it ever answered, in another run too: what it refuses then is one request."""
        self.closing = False
        """Set when the run ends: what was sent is still awaited, nothing is sent again."""
        self.on_wait: Callable[[Message], None] | None = None
        """Told why nothing comes, at most every few seconds, while it is asked again."""
        self._told_at = -math.inf
        self._in_a_row = 0
        try:
            url = httpx2.URL(settings.base_url)
            if url.port and url.port > 65535:
                raise ValueError(url.port)
            path = url.path.rstrip("/").removesuffix("/chat/completions")
            # A proxy has no way to this machine's own address.
            http = httpx2.AsyncClient(follow_redirects=True, trust_env=not is_loopback(url.host))
            self._client = openai.AsyncOpenAI(
                api_key=settings.api_key or "none",
                base_url=url.copy_with(path=path, query=None),
                default_query=dict(url.params),
                http_client=http,
                max_retries=0,
            )
        except (httpx2.InvalidURL, ValueError, ImportError) as error:
            told = {"url": settings.base_url, "detail": str(error)}
            raise EndpointError("distill.endpoint-address", **told) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.close()

    async def ask(self, request: LLMRequest) -> Entry:
        """The answer: whole, cut or refused (``finish`` tells).

        Raises EndpointError: wrong key, address or model, no money, no answer after all attempts.
        RequestError: this request is refused or fails while others are answered.
        """
        attempts, forms, before, mode = 0, 0, self.answers, self.modes[0]
        most = self.most_tokens
        while True:
            mode = mode if mode in self.modes else self.modes[0]
            got, pause = await self._once(request, mode)
            if isinstance(got, Entry):
                return self._answered(got, mode)
            forms += 1
            if forms < _MOST_FORMS and (other := self._other_form(got, request, mode)):
                mode = other
                continue
            attempts += 1
            if told := self._hopeless(got, attempts, before):
                self.most_tokens = most  # fewer were no help
                raise told
            longest = min(self.settings.pause * 2.0 ** (attempts - 1), _LONGEST_PAUSE)
            # Twice as long each time; all who wait come back at different times.
            pause = longest * random.uniform(0.5, 1.5) if pause is None else pause
            self._tell_wait(got, attempts, pause)
            await asyncio.sleep(pause + random.uniform(0, 0.1) * self.settings.pause)

    def _tell_wait(self, fault: Fault, attempts: int, pause: float) -> None:
        now = time.monotonic()
        if self.on_wait and now - self._told_at >= _TOLD_EVERY * self.settings.pause:
            self._told_at = now
            told = self._told(fault) | {"seconds": round(pause), "attempts": attempts}
            told |= {"most": self.settings.attempts, "detail": fault.status or fault.whole[:60]}
            self.on_wait(Message("distill.endpoint-waiting", told))

    async def _once(self, request: LLMRequest, mode: Mode) -> tuple[Entry | Fault, float | None]:
        """What came, and the seconds that the endpoint wants to be left alone."""
        body = request.body(mode)
        body["max_tokens"] = min(body["max_tokens"], self.most_tokens)
        if "max_tokens" in self.refused:
            body["max_completion_tokens"] = body["max_tokens"]
        body = {name: value for name, value in body.items() if name not in self.refused}
        longest = self.settings.timeout * (_THINKING_TIME if request.room else 1)
        try:
            # The client's own timeout begins anew with every byte that drips in.
            async with asyncio.timeout(longest):
                # The bytes as they came: what is no chat completion is read all the same.
                reply = await self._client.post(
                    "/chat/completions",
                    cast_to=httpx2.Response,
                    body=body,
                    options={"timeout": longest},
                )
        except openai.APIStatusError as error:
            reply = error.response
        except _BROKEN as error:
            cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
            # A timeout or a broken connection means that somebody is there.
            if isinstance(cause, _NOBODY_THERE) and not self.answers:
                url = self.settings.base_url
                raise EndpointError("distill.endpoint-unreachable", url=url) from error
            return Fault(0, whole=type(cause).__name__), None
        secret = self.settings.api_key.encode()
        # Some errors repeat the key; "none" and its like are words that an answer may hold.
        data = reply.content.replace(secret, b"...") if len(secret) >= _A_KEY else reply.content
        asked = {"key": request.key, "task": request.task, "model": request.model}
        read = read_tokens(request)
        got = read_completion(reply.status_code, parse(data), prompt_tokens=read, **asked)
        return got, retry_after(reply.headers)

    def _answered(self, entry: Entry, mode: Mode) -> Entry:
        """The answer, and what it teaches: the mode is one that the endpoint knows."""
        if entry.finish == REFUSED and not (entry.prompt_tokens or self.is_known):
            # Not kept: who never answered may refuse the account, and not what this request says.
            raise RequestError("distill.endpoint-refused", **self._told(Fault(400, entry.text)))
        self.answers, self.is_known, self._in_a_row = self.answers + 1, True, 0
        if mode in self.modes and entry.finish != REFUSED:
            del self.modes[: self.modes.index(mode)]
        return entry

    def _other_form(self, fault: Fault, request: LLMRequest, mode: Mode) -> Mode | None:
        """How to ask again because the endpoint refused this form; None if it is not the form."""
        if fault.status not in _FORM_REFUSED or _NO_MONEY.search(fault.whole):
            return None
        if "temperature" in fault.whole and "temperature" not in self.refused:
            self.refused.add("temperature")
            return mode
        # Who gives no reason may have too little room for thinking.
        tokens = request.room or _MAX_TOKENS.search(fault.whole)
        if tokens and self._fewer_tokens(fault.whole, request):
            return mode
        if mode == "text":
            return None
        if _FORMAT.search(fault.whole):
            self.modes = [known for known in self.modes if known != mode]
            return self.modes[0]
        # Until something was answered nobody knows whether it is the form or the request.
        return None if self.answers else MODES[MODES.index(mode) + 1]

    def _fewer_tokens(self, told: str, request: LLMRequest) -> bool:
        """Whether max_tokens can be asked for in another way: by another name, or fewer of them."""
        names = ("max_tokens", "max_completion_tokens")
        left = [name for name in names if name in told and name not in self.refused]
        if _UNKNOWN.search(told) and left:
            self.refused.add(left[0])
            return True
        # A prompt that is too long for the context stays so with fewer tokens for its answer.
        if not (left or request.room):
            return False
        asked = min(request.max_tokens, self.most_tokens)
        smaller = [n for n in map(int, re.findall(r"\d{3,6}", told)) if n < asked]
        self.most_tokens = max(smaller, default=asked // 2)
        return self.most_tokens >= _SMALLEST_ROOM

    def _hopeless(self, fault: Fault, attempts: int, before: int) -> EndpointError | None:
        """The error for what another try cannot mend, or must not."""
        status, told = fault.status, self._told(fault)
        if status == 402 or _NO_MONEY.search(fault.whole):
            return EndpointError("distill.endpoint-quota", **told)
        if status < 300 and not (fault.is_error or self.is_known):
            return EndpointError("distill.endpoint-no-completion", **told)
        if 300 <= status < 500 and status not in _RETRIED:
            self._in_a_row += 1
            # The key or the model may be gone since; other refusals are of what a request says.
            general = status in _REFUSALS and not self.is_known
            many = self._in_a_row >= _ENOUGH and (status in _REFUSALS or not self.is_known)
            kind = EndpointError if general or many or status == 401 else RequestError
            return kind(f"distill.endpoint-{_REFUSALS.get(status, 'refused')}", **told)
        if not self.closing and attempts < self.settings.attempts:
            return None
        kind = RequestError if self.answers > before else EndpointError
        last = status or fault.whole[:60]
        return kind("distill.endpoint-failed", attempts=attempts, detail=last, **told)

    def _told(self, fault: Fault) -> dict[str, Any]:
        """What errors tell: the endpoint's own words, where it has any."""
        said = message("distill.endpoint-said", said=fault.said) if fault.said else ""
        values = {"url": self.settings.base_url, "model": self.settings.model}
        return {**values, "said": said, "status": fault.status}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of retry-after-ms or Retry-After (a number or a date), at most two minutes."""
    told, seconds = headers.get("retry-after", ""), None
    with suppress(ValueError, OverflowError):
        seconds = parsedate_to_datetime(told).timestamp() - time.time()
    for value, unit in ((told, 1.0), (headers.get("retry-after-ms", ""), 0.001)):
        with suppress(ValueError):
            seconds = float(value) * unit
    # In this order nan is no pause.
    return None if seconds is None else min(max(0.0, seconds), _LONGEST_PAUSE)
