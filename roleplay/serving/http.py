"""HTTP for the routes: bodies with a limit, errors as objects, clients that go away, events.

body = await read_body(request)
answer = await unless_gone(request, work())
return EventStream(events())                # closes events() when the client is gone
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from roleplay.messages import Language, language_of, spoken
from roleplay.serving.errors import RequestError, TooLargeError, error_object, refusal

T = TypeVar("T")
MAX_BODY = 1 << 20
"""Bytes: far more than a model here can read."""


def language(request: Request) -> Language:
    """The client's, or that of this process where it says nothing."""
    wanted = request.headers.get("accept-language", "*")
    return spoken() if wanted.startswith("*") else language_of(wanted)


async def read_body(request: Request) -> bytes:
    """The body. Raises TooLargeError: it is over ``MAX_BODY``, whatever its header says."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise TooLargeError("serving.too-large", most=MAX_BODY >> 10)
    return bytes(body)


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of ``work``, which is cancelled when the client goes away.

    The body must have been read. Raises ClientDisconnect: the client is gone.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        gone.cancel()
        task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events; their source is closed at the end, also when the client goes away."""

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        plain = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=plain)
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()


def event(data: dict[str, Any] | str) -> str:
    """One event; everything in it is ASCII, so that no client finds a line break in it."""
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"


async def on_error(request: Request, error: Exception) -> Response:
    """The response to an error of a route."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)  # as others write into their logs; nobody reads it
    if isinstance(error, HTTPException):
        refused = RequestError("serving.route", method=request.method, path=request.url.path)
        body = error_object(refused, language(request))
        return JSONResponse(body, error.status_code, headers=error.headers)
    refused = refusal(error)
    body = error_object(refused, language(request))
    return JSONResponse(body, refused.status, headers=refused.headers)
