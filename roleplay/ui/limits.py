"""How much one visitor of a shared page may ask for: a limit for each client, before the queue.

    launch(app_kwargs={"middleware": [Middleware(ClientLimit)]})     # 200 events a minute

Events and uploads over the limit are answered with 429, which the page shows as busy; whatever only
reads (the page itself, files, the stream of answers) is not counted.
"""

import time
from collections import OrderedDict, deque
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_MINUTE, _MOST_CLIENTS = 60.0, 10_000
_KINDS = {"/queue/join": "events", "/upload": "uploads"}


class ClientLimit:
    """ASGI middleware that counts what each client starts in a minute."""

    def __init__(self, app: ASGIApp, *, events: int = 200, uploads: int = 20) -> None:
        """``events`` are clicks and, in the owner's pages, a tick every few seconds."""
        self._app = app
        self._most = {"events": events, "uploads": uploads}
        self._seen: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        kind = _kind(scope)
        if kind and not self._admits(_client(scope), kind):
            refused = JSONResponse({"detail": "too many requests"}, 429, {"Retry-After": "20"})
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admits(self, client: str, kind: str) -> bool:
        now, key = time.monotonic(), (client, kind)
        times = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        while len(self._seen) > _MOST_CLIENTS:
            self._seen.popitem(last=False)
        while times and now - times[0] > _MINUTE:
            times.popleft()
        if len(times) >= self._most[kind]:
            return False
        times.append(now)
        return True


def _kind(scope: Scope) -> str:
    """What a request starts, empty where it only reads."""
    if scope["type"] != "http" or scope.get("method") != "POST":
        return ""
    path = str(scope.get("path", ""))
    return next((kind for end, kind in _KINDS.items() if path.endswith(end)), "")


def _client(scope: Scope) -> str:
    """The address that asks; behind the proxy of a Space, the one that the proxy names last."""
    headers: dict[bytes, bytes] = dict(scope.get("headers") or ())
    forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")[-1].strip()
    client: Any = scope.get("client") or ("",)
    return forwarded or str(client[0])
