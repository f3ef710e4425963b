"""Questions -> answers, each paid for once: the ledger first, then the endpoint, or a batch file.

    async with Asker(ledger, meter, endpoint) as asker:
        entry = await asker.ask(question)
    Asker(ledger, meter).pending        # without an endpoint: the questions that nobody answered yet

The same question from two places is asked once. When a run stops early (an error, the cost limit, Ctrl-C), what was
sent is awaited and kept. An Asker without an endpoint answers from the ledger alone and remembers what is missing: for ``--batch-out``, for
``--dry-run``, and for what ``--limit`` leaves out.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from roleplay.distill.costs import Meter
from roleplay.distill.endpoint import Endpoint
from roleplay.distill.ledger import Entry, Ledger
from roleplay.distill.questions import Question


class PendingError(Exception):
    """The question has no answer yet and nobody may be asked now; it is in ``Asker.pending``."""


class Asker:
    """Asks each question once in the life of the ledger."""

    def __init__(
        self, ledger: Ledger, meter: Meter, endpoint: Endpoint | None = None, *, limit: int | None = None
    ) -> None:
        self.ledger = ledger
        self.meter = meter
        self.endpoint = endpoint
        self.left = limit
        """How many more questions may be asked; None is any number."""
        self._free = asyncio.Semaphore(endpoint.settings.concurrency if endpoint else 1)
        self._running: dict[str, asyncio.Future[Entry]] = {}
        self.pending: dict[str, Question] = {}

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.endpoint is None:
            return
        self.endpoint.closing = True
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self.endpoint.__aexit__(kind, error, trace)

    async def ask(self, question: Question) -> Entry:
        """The answer; it is in the ledger, on the disk, before it is returned.

        Raises:
            PendingError: no answer yet and no endpoint to ask, or ``limit`` questions were asked.
            CostLimitError: the call could pass the limit.
            ModelError: the endpoint failed, or the ledger cannot be written.
        """
        entry = self.ledger.get(question.key)
        if entry is not None:
            return entry
        if question.key not in self._running:
            self._running[question.key] = asyncio.ensure_future(self._pay(question))
        return await asyncio.shield(self._running[question.key])

    async def _pay(self, question: Question) -> Entry:
        async with self._free:
            if self.endpoint is None or self.left == 0 or self.endpoint.closing:
                self.pending[question.key] = question
                raise PendingError(question.key)
            self.meter.reserve(question)
            self.left = None if self.left is None else self.left - 1
            entry = None
            try:
                entry = await self.endpoint.ask(question)
            finally:
                self.meter.settle(question, entry)
            self.ledger.put(entry)
        del self._running[question.key]
        return entry
