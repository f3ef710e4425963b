"""Requests -> answers, each paid for once: the ledger first, then the endpoint, or a batch file.

    async with CachedClient(ledger, meter, endpoint) as client:
        entry = await client.ask(request)
    CachedClient(ledger, meter).pending        # without an endpoint: what nobody answered yet

The same request from two places is asked once. When a run stops early (an error, the cost limit,
Ctrl-C), what was sent is awaited and kept. Without an endpoint, and after ``--limit`` requests, a
client answers from the ledger alone and remembers what is missing.
"""

import asyncio
from typing import Self

from roleplay.distill.llm.costs import Meter
from roleplay.distill.llm.endpoint import Endpoint
from roleplay.distill.llm.ledger import Entry, Ledger
from roleplay.distill.llm.requests import LLMRequest


class PendingError(Exception):
    """The request has no answer yet and nobody may be asked; it is in ``CachedClient.pending``."""


class CachedClient:
    """Asks each request once in the life of the ledger; as a context manager it awaits the last."""

    def __init__(
        self,
        ledger: Ledger,
        meter: Meter,
        endpoint: Endpoint | None = None,
        *,
        limit: int | None = None,
    ) -> None:
        self.ledger, self.meter, self.endpoint = ledger, meter, endpoint
        self.left = limit
        """How many more requests may be asked; None is any number."""
        self._free = asyncio.Semaphore(endpoint.settings.concurrency if endpoint else 1)
        self._running: dict[str, asyncio.Future[Entry]] = {}
        self.pending: dict[str, LLMRequest] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.endpoint is not None:
            self.endpoint.closing = True
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            await self.endpoint.__aexit__(*error)

    async def ask(self, request: LLMRequest) -> Entry:
        """The answer; it is in the ledger, on the disk, before it is returned.

        Raises PendingError: no endpoint to ask, or ``limit`` requests were asked. CostLimitError:
        the call could pass the limit. ModelError: the endpoint failed, or the ledger is unwritable.
        """
        if entry := self.ledger.get(request.key):
            return entry
        if request.key not in self._running:
            self._running[request.key] = asyncio.ensure_future(self._pay(request))
        # Whoever waits may be cancelled; the call goes on, as it is paid for.
        return await asyncio.shield(self._running[request.key])

    async def _pay(self, request: LLMRequest) -> Entry:
        async with self._free:
            if self.endpoint is None or self.left == 0 or self.endpoint.closing:
                self.pending[request.key] = request
                raise PendingError(request.key)
            self.meter.reserve(request)
            self.left = None if self.left is None else self.left - 1
            entry = None
            try:
                entry = await self.endpoint.ask(request)
            finally:
                self.meter.settle(request, entry)
            self.ledger.put(entry)
        del self._running[request.key]
        return entry
