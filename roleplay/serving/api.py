"""The routes: models, chat and completions, as OpenAI's clients know them.

api = create_api(engine, worlds=Path("worlds"), key="", waiting=32)
page.mount("/v1", api)

GET /v1/models    GET /v1/models/{world/character}
POST /v1/chat/completions    POST /v1/completions
"""

import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from roleplay.backends.base import Backend
from roleplay.errors import RoleplayError
from roleplay.messages import Language
from roleplay.proxies import is_loopback
from roleplay.serving import cast
from roleplay.serving.answers import Choice, Envelope, Finish, Growing, Usage
from roleplay.serving.errors import KeyRefusedError, OriginRefusedError, error_object, refusal
from roleplay.serving.http import EventStream, event, language, on_error, read_body, unless_gone
from roleplay.serving.reading import Told, read_messages, read_prompt
from roleplay.serving.requests import ChatRequest, CompletionRequest, Request
from roleplay.serving.speaking import Asked, Spoken, Stage
from roleplay.stages.engine import Engine

RequestT = TypeVar("RequestT", bound=Request)
Read = Callable[[RequestT, cast.Role], Told]


def create_api(engine: Engine, *, worlds: Path, key: str, waiting: int) -> Starlette:
    """The API as an application that is mounted at ``/v1``.

    Args:
        worlds: the folder of the worlds that are served.
        key: what clients must give; empty where anybody on this machine may ask.
        waiting: how many requests may wait in line.
    """
    api = Api(Stage(engine, waiting=waiting), worlds, key)
    routes = [
        Route("/models", api.models),
        Route("/models/{name:path}", api.model),
        Route("/chat/completions", api.chat, methods=["POST"]),
        Route("/completions", api.complete, methods=["POST"]),
    ]
    told = (RoleplayError, ValidationError, HTTPException, ClientDisconnect, Exception)
    return Starlette(routes=routes, exception_handlers=dict.fromkeys(told, on_error))


class Api:
    """The routes of one engine."""

    def __init__(self, stage: Stage, worlds: Path, key: str) -> None:
        self._stage, self._worlds, self._key = stage, worlds, key

    async def models(self, request: HttpRequest) -> Response:
        """Everybody who can be asked."""
        self._admit(request)
        known = await run_in_threadpool(cast.roles, self._worlds)
        return JSONResponse({"object": "list", "data": [one.to_json() for one in known.values()]})

    async def model(self, request: HttpRequest) -> Response:
        """One of them."""
        self._admit(request)
        name = request.path_params["name"]
        return JSONResponse((await run_in_threadpool(cast.find, self._worlds, name)).to_json())

    async def chat(self, request: HttpRequest) -> Response:
        """The character's answer to a conversation."""

        def read(body: ChatRequest, role: cast.Role) -> Told:
            return read_messages(body.messages, role.character, role.names)

        return await self._answer(request, ChatRequest, read)

    async def complete(self, request: HttpRequest) -> Response:
        """The next line of a transcript."""

        def read(body: CompletionRequest, role: cast.Role) -> Told:
            return read_prompt(body.prompt, role.character, role.names)

        return await self._answer(request, CompletionRequest, read)

    def _admit(self, request: HttpRequest) -> None:
        """Raises KeyRefusedError, OriginRefusedError: who asks may not."""
        if self._key:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            same = secrets.compare_digest(given.strip().encode(), self._key.encode())
            if scheme.lower() != "bearer" or not same:
                raise KeyRefusedError("serving.key")
        # Else any web page that the owner looks at could ask through the owner's browser.
        elif (origin := request.headers.get("origin")) and not is_loopback(_host(origin)):
            raise OriginRefusedError("serving.origin", origin=origin[:100])

    async def _answer(
        self, request: HttpRequest, kind: type[RequestT], read: Read[RequestT]
    ) -> Response:
        self._admit(request)
        body = kind.model_validate_json(await read_body(request))
        role = await run_in_threadpool(cast.find, self._worlds, body.model)
        told, params = read(body, role), body.params()
        asked = Asked(role, told, body.count, params, in_place=bool(body.stream))
        replies = self._stage.replies(asked)
        if not body.stream:
            return JSONResponse(await unless_gone(request, _whole(replies, body)))
        # Before the response begins: what is refused has a status, and no stream.
        first = await unless_gone(request, anext(replies))
        return EventStream(_events(first, replies, body, language(request)))


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


async def _whole(replies: AsyncGenerator[Spoken, None], body: Request) -> dict[str, Any]:
    """The answer in one piece."""
    async with aclosing(replies):
        async for spoken in replies:
            growing = Growing(body.count, body.stop)
            growing.pieces(spoken.reply.candidates)
            if growing.done:
                break
    choices = _choices(growing, spoken.backend, body)
    return _envelope(body, spoken.backend).whole(choices, _usage(choices, spoken))


async def _events(
    first: Spoken, replies: AsyncGenerator[Spoken, None], body: Request, tongue: Language
) -> AsyncGenerator[str, None]:
    """The answer as events; an error that comes too late for a status is one too."""
    form, growing, spoken = _envelope(body, first.backend), Growing(body.count, body.stop), first
    async with aclosing(replies):
        try:
            for index in range(body.count if form.chat else 0):
                yield event(form.opening(index))
            async for spoken in _after(first, replies):
                for chunk in _pieces(form, growing.pieces(spoken.reply.candidates)):
                    yield chunk
                if growing.done:
                    break
        except Exception as error:  # whatever it is, the client must not take it for the end
            logging.getLogger(__name__).exception("a stream broke off")
            yield event(error_object(refusal(error), tongue))
            return
    for chunk in _pieces(form, growing.pieces(spoken.reply.candidates, last=True)):
        yield chunk
    choices = _choices(growing, first.backend, body)
    for index, choice in enumerate(choices):
        yield event(form.end(index, choice.finish))
    if body.with_usage:
        yield event(form.usage(_usage(choices, spoken)))
    yield event("[DONE]")


async def _after(first: Spoken, others: AsyncGenerator[Spoken, None]) -> AsyncIterator[Spoken]:
    yield first
    async for spoken in others:
        yield spoken


def _pieces(form: Envelope, texts: Sequence[str]) -> Iterator[str]:
    return (event(form.piece(index, text)) for index, text in enumerate(texts) if text)


def _envelope(body: Request, backend: Backend) -> Envelope:
    return Envelope(isinstance(body, ChatRequest), body.model, backend.name)


def _choices(growing: Growing, backend: Backend, body: Request) -> list[Choice]:
    most = body.params().max_new_tokens

    def finish(text: str, stopped: bool) -> Finish:
        return "stop" if stopped or backend.count(text) < most else "length"

    pairs = zip(growing.texts, growing.stopped, strict=True)
    return [Choice(text, finish(text, stopped)) for text, stopped in pairs]


def _usage(choices: Sequence[Choice], spoken: Spoken) -> Usage:
    count = spoken.backend.count
    return Usage(count(spoken.reply.prompt.text), sum(count(choice.text) for choice in choices))
