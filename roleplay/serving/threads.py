"""What a blocking iterator gives, for the event loop of a server.

async for reply in in_thread(lambda: agent.ask(...)):
    ...
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import closing, suppress
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def in_thread(make: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
    """The newest item whenever one is wanted, and at the end the last; earlier ones may be missed.

    The iterator lives in a thread of its own from beginning to end, as torch's inference mode is a
    matter of a thread. It never waits for a slow reader. When this generator is closed, it is
    closed before its next item.
    """
    loop, news, stop = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    newest: list[T] = []
    ended: list[Exception | None] = []

    def put(place: list[Any], item: Any) -> None:
        place[:] = [item]
        news.set()

    def tell(place: list[Any], item: Any) -> None:
        with suppress(RuntimeError):  # the server has stopped, and its loop with it
            loop.call_soon_threadsafe(put, place, item)

    def work() -> None:
        problem: Exception | None = None
        try:
            with closing(cast(Generator[T, None, None], make())) as items:
                for item in items:
                    if stop.is_set():
                        return
                    tell(newest, item)
        except Exception as error:  # raised again where it is waited for
            problem = error
        finally:
            tell(ended, problem)

    threading.Thread(target=work, daemon=True, name="reply").start()
    try:
        while True:
            await news.wait()
            if newest:
                yield newest.pop()
            elif ended:
                if ended[0]:
                    raise ended[0]
                return
            else:
                news.clear()
    finally:
        stop.set()
