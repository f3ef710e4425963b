"""Questions -> answers, each paid for once: the ledger first, then the endpoint, or a batch file.

    async with Asker(ledger, meter, endpoint) as asker:
        entry = await asker.ask(question)
    Asker(ledger, meter).pending        # without an endpoint: the questions that nobody answered yet

An Asker without an endpoint answers from the ledger alone and remembers what is missing: for ``--batch-out``, for
``--dry-run``, and for what ``--limit`` leaves out.
"""

from __future__ import annotations

from types import TracebackType

from roleplay.distill.costs import Meter
from roleplay.distill.endpoint import Endpoint
from roleplay.distill.ledger import Entry, Ledger
from roleplay.distill.questions import Question


class PendingError(Exception):
    """The question has no answer yet and nobody may be asked now; it is in ``Asker.pending``."""


class Asker:
    """Asks each question once in the life of the ledger."""

    def __init__(self, ledger: Ledger, meter: Meter, endpoint: Endpoint | None = None) -> None:
        self.ledger = ledger
        self.meter = meter
        self.endpoint = endpoint
        self.pending: dict[str, Question] = {}

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.endpoint is not None:
            await self.endpoint.__aexit__(kind, error, trace)

    async def ask(self, question: Question) -> Entry:
        """The answer; it is in the ledger, on the disk, before it is returned.

        Raises:
            PendingError: no answer yet and no endpoint to ask.
            CostLimitError: the call could pass the limit.
            ModelError: the endpoint failed, or the ledger cannot be written.
        """
        entry = self.ledger.get(question.key)
        if entry is not None:
            return entry
        if self.endpoint is None:
            self.pending[question.key] = question
            raise PendingError(question.key)
        self.meter.reserve(question)
        try:
            entry = await self.endpoint.ask(question)
        finally:
            self.meter.settle(question, entry)
        self.ledger.put(entry)
        return entry
