"""Requests -> answers, each paid for once: the ledger first, then the endpoint, or a batch file.

    async with CachedClient(ledger, meter, endpoint) as client:
        entry = await client.ask(request)
    CachedClient(ledger, meter).pending        # without an endpoint: what nobody answered yet

The same request from two places is asked once. When a run stops early (an error, the cost limit,
Ctrl-C), what was sent is awaited and kept. Without an endpoint, and after ``--limit`` requests, a
client answers from the ledger alone and remembers what is missing. A model that used up its tokens
before its first word (by thinking) is asked once more with room for it, and has it from then on.
"""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Self

from roleplay import files
from roleplay.distill.llm.costs import Meter
from roleplay.distill.llm.endpoint import Endpoint, EndpointError, RequestError
from roleplay.distill.llm.ledger import CUT, REFUSED, Entry, Ledger
from roleplay.distill.llm.replies import is_empty
from roleplay.distill.llm.requests import LLMRequest

NOT_ASKED, REFUSED_BY, FAILED = "not asked yet", "refused by the endpoint", "the endpoint failed"
"""Why a request has no answer, as the script tells it."""
ROOM = 16_000
"""Tokens for a model that thinks, or talks, before its first word."""


class PendingError(Exception):
    """The request has no answer; the text is one of the reasons above."""


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
        self.pending: dict[str, LLMRequest] = {}
        self.failed: dict[str, RequestError] = {}
        """What was refused or failed while other requests were answered."""
        self.tally: Counter[str] = Counter()
        """How many answers were used, strange (names that the book lacks), cut, unreadable, refused
        or failed; callers clear it."""
        known = [entry for entry in ledger if entry.model == meter.model]
        self._thinks = any(entry.task == CUT for entry in known)
        if endpoint:
            endpoint.is_known = bool(known)
        # One at a time until the first answer: a wrong key costs one call and not eight.
        self._free = asyncio.Semaphore(1)
        self._locked = True
        self._running: dict[str, asyncio.Future[Entry]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.endpoint is not None:
            self.endpoint.closing = True
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            await self.endpoint.__aexit__(*error)

    async def ask(self, request: LLMRequest) -> Entry:
        """The answer; it is in the ledger, on the disk, before it is returned.

        Raises PendingError: no endpoint to ask, ``limit`` requests were asked, or the endpoint
        answers others but not this one. CostLimitError: the call could pass the limit. ModelError:
        the endpoint failed, or the ledger is unwritable.
        """
        if entry := self.ledger.get(request.key):
            return entry
        if request.key not in self._running:
            self._running[request.key] = asyncio.ensure_future(self._pay(request))
        # Whoever waits may be cancelled; the call goes on, as it is paid for.
        return await asyncio.shield(self._running[request.key])

    def count(self, entry: Entry, *, found: bool, used: bool) -> None:
        """Note in ``tally`` whether anything was found in an answer, and whether it was of use."""
        empty = "cut" if entry.finish == CUT else "unreadable"
        kind = "used" if used else "strange" if found else empty
        self.tally["refused" if entry.finish == REFUSED else kind] += 1

    async def _pay(self, request: LLMRequest) -> Entry:
        async with self._free:
            if self._thinks or self.ledger.get(_aside(request.key)):
                request = replace(request, room=ROOM)
            entry = await self._call(request)
            if not request.room and not keep(self.ledger, entry):
                self._thinks = True
                entry = await self._call(replace(request, room=ROOM))
            self.ledger.put(entry)
        del self._running[request.key]
        return entry

    async def _call(self, request: LLMRequest) -> Entry:
        if self.endpoint is None or self.left == 0 or self.endpoint.closing:
            self.pending[request.key] = request
            raise PendingError(NOT_ASKED)
        self.meter.reserve(request)
        self.left = None if self.left is None else self.left - 1
        entry = None
        try:
            entry = await self.endpoint.ask(request)
        except RequestError as error:
            self.failed[request.key] = error
            failed = error.message.key == "distill.endpoint-failed"
            self.tally["failed" if failed else "refused"] += 1
            raise PendingError(FAILED if failed else REFUSED_BY) from error
        except EndpointError:
            self.endpoint.closing = True
            raise
        finally:
            self.meter.settle(request, entry)
        for _ in range(self._locked * (self.endpoint.settings.concurrency - 1)):
            self._free.release()
        self._locked = False
        return entry


def keep(ledger: Ledger, entry: Entry) -> bool:
    """Put an answer into the ledger; one that was cut before its first word stands aside, once.

    False: it does, and its request is open, to be asked with more room.
    """
    aside = _aside(entry.key)
    if not is_empty(entry) or ledger.get(aside):
        ledger.put(entry)
        return True
    ledger.put(entry.model_copy(update={"key": aside, "task": CUT}))
    return False


def _aside(key: str) -> str:
    return files.digest(key, CUT)
