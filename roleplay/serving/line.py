"""The waiting line: who comes first is answered first, and who comes when it is full is told so.

    line = WaitingLine(at_once=8, waiting=32)
    async with line.turn(world):        # LineFullError, or it is one's turn
        ...

Several are let in together as long as they want the same world: the backend sees to it that their
replies are written in turn or as one batch. One event loop uses a line.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from roleplay.serving.errors import LineFullError


class WaitingLine:
    """First come, first served."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        """At most ``at_once`` are inside, and ``waiting`` before the door."""
        self._at_once, self._most = at_once, waiting
        self._inside = 0
        self._world: Hashable = None
        self._waiting: deque[tuple[Hashable, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def turn(self, world: Hashable) -> AsyncIterator[None]:
        """Wait for one's turn, and have it; whoever is cancelled leaves the line.

        Raises LineFullError: too many wait.
        """
        await self._enter(world)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, world: Hashable) -> None:
        if len(self._waiting) >= self._most and not self._is_free(world):
            raise LineFullError("serving.full", waiting=len(self._waiting))
        place = (world, asyncio.get_running_loop().create_future())
        self._waiting.append(place)
        self._let_in()
        try:
            await place[1]
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
                self._let_in()  # those behind may want another world than the one that left
            else:
                self._leave()
            raise

    def _leave(self) -> None:
        self._inside -= 1
        self._let_in()

    def _is_free(self, world: Hashable) -> bool:
        """Whether one who wants this world can go in at once."""
        return not self._waiting and self._fits(world)

    def _fits(self, world: Hashable) -> bool:
        return not self._inside or (self._inside < self._at_once and world == self._world)

    def _let_in(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            self._world, ready = self._waiting.popleft()
            self._inside += 1
            if not ready.done():
                ready.set_result(None)
