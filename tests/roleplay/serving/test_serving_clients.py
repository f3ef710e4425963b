"""Many clients at once, those that go away, and the waiting line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from loopback_api import MODEL, Served, user, wait_for

from roleplay.serving.errors import LineFullError
from roleplay.serving.line import WaitingLine
from roleplay.serving.threads import in_thread

CLIENTS, TURNS = 8, 12


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [user(text)], **more}


def talk(served: Served, who: int) -> list[str]:
    """What one client heard, each turn as text whole or streamed, in one world or the other."""
    client, heard = served.client(timeout=60), []
    for turn in range(TURNS):
        model = "灯/阿灯" if (who + turn) % 6 == 5 else MODEL
        messages: Any = [user(f"客{who}第{turn}句")]
        asked: dict[str, Any] = {"model": model, "messages": messages, "seed": who * 100 + turn}
        if turn % 2:
            chunks = client.chat.completions.create(stream=True, **asked)
            parts = [chunk.choices[0].delta.content or "" for chunk in chunks]
            heard.append("".join(parts))
        else:
            answer = client.chat.completions.create(n=1 + who % 2, **asked)
            heard.append(answer.choices[0].message.content or "")
    return heard


def test_eight_clients_at_once_hear_each_their_own(served: Served) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        heard = list(pool.map(lambda who: talk(served, who), range(CLIENTS)))
    for who, answers in enumerate(heard):
        assert [text.split("#")[0] for text in answers] == [
            f"听到客{who}第{turn}句" for turn in range(TURNS)
        ]
    assert len(served.parrot.prompts) == CLIENTS * TURNS
    assert len(served.aviary.made) == 1


def test_the_same_questions_have_the_same_answers_alone_and_among_others(served: Served) -> None:
    alone = talk(served, 1)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: talk(served, 1), range(3))) == [alone] * 3


def test_the_page_and_the_api_take_turns(served: Served) -> None:
    with served.parrot.paused(), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(served.ask, user("你好"))
        wait_for(lambda: served.parrot.prompts)
        assert not answer.done() and served.parrot.steps == 0
        served.parrot.lock.release()
        assert answer.result(10).startswith("听到你好#")
        served.parrot.lock.acquire()


def test_a_client_that_goes_away_stops_its_stream(served: Served) -> None:
    served.parrot.pause = 0.01
    with httpx.Client(trust_env=False) as client:
        asked = body("很长" * 200, stream=True, max_tokens=400)
        with client.stream("POST", f"{served.url}/chat/completions", json=asked) as answer:
            assert next(answer.iter_lines()).startswith("data: ")
        wait_for(lambda: not served.parrot.lock.locked(), 2)
    assert 0 < served.parrot.steps < 100
    assert served.ask(user("你好")).startswith("听到你好#")


def test_a_client_that_does_not_wait_stops_its_answer(served: Served) -> None:
    served.parrot.pause = 0.01
    asked = body("很长" * 200, max_tokens=400)
    with httpx.Client(trust_env=False, timeout=0.3) as client, pytest.raises(httpx.ReadTimeout):
        client.post(f"{served.url}/chat/completions", json=asked)
    wait_for(lambda: not served.parrot.lock.locked(), 2)
    assert 0 < served.parrot.steps < 100


def test_a_client_that_gives_up_before_the_first_word_stops_its_answer(served: Served) -> None:
    served.parrot.pause = 0.5
    for stream in (False, True):
        with httpx.Client(trust_env=False, timeout=0.2) as client, pytest.raises(httpx.ReadTimeout):
            client.post(f"{served.url}/chat/completions", json=body("你好", stream=stream))
    wait_for(lambda: not served.parrot.lock.locked(), 5)
    assert served.parrot.steps <= 4


def test_a_full_line_says_so_and_who_leaves_it_makes_room(start: Callable[..., Served]) -> None:
    served = start(waiting=1)
    with served.parrot.paused(), ThreadPoolExecutor(10) as pool:
        inside = [pool.submit(served.ask, user(f"{number}")) for number in range(8)]
        wait_for(lambda: len(served.parrot.prompts) == 8)
        leaving = httpx.Client(trust_env=False, timeout=0.3)
        with leaving, pytest.raises(httpx.ReadTimeout):  # waits, is told nothing, and goes
            leaving.post(f"{served.url}/chat/completions", json=body("走"))
        waiting = pool.submit(served.client(max_retries=50).chat.completions.create, **body("等"))
        wait_for(lambda: is_full(served))
        with pytest.raises(openai.RateLimitError, match="1 requests are waiting already"):
            served.client().chat.completions.create(**body("满"))
        served.parrot.lock.release()
        texts = [answer.result(20).split("#")[0] for answer in inside]
        assert waiting.result(20).choices[0].message.content.startswith("听到等#")
        served.parrot.lock.acquire()
    assert texts == [f"听到{number}" for number in range(8)]
    assert not any("走" in prompt.text for prompt in served.parrot.prompts)


def is_full(served: Served) -> bool:
    """Whether one who comes now is sent away."""
    with httpx.Client(trust_env=False, timeout=0.2) as client:
        try:
            answer = client.post(f"{served.url}/chat/completions", json=body("满", stream=True))
        except httpx.ReadTimeout:  # stood in the line
            return False
    assert answer.status_code == 429 and answer.headers["retry-after"] == "2"
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    return True


def in_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 10))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Guests:
    """Tasks that take a turn in a line and stay until they are told to go."""

    def __init__(self, line: WaitingLine) -> None:
        self.line, self.inside = line, []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.doors: dict[str, asyncio.Event] = {}

    async def come(self, *names: str) -> list[str]:
        """``b1`` wants world b; who is inside then."""
        for name in names:
            self.doors[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._stay(name))
            await settle()
        return self.inside

    async def go(self, name: str) -> list[str]:
        self.doors[name].set()
        await settle()
        return self.inside

    async def _stay(self, name: str) -> None:
        async with self.line.turn(name[0]):
            self.inside = [*self.inside, name]
            try:
                await self.doors[name].wait()
            finally:
                self.inside = [one for one in self.inside if one != name]


def test_those_of_one_world_go_in_together_and_none_overtakes() -> None:
    async def work() -> None:
        guests = Guests(WaitingLine(at_once=2, waiting=9))
        assert await guests.come("a1", "a2", "a3", "b1", "a4") == ["a1", "a2"]
        assert await guests.go("a2") == ["a1", "a3"]
        assert await guests.go("a1") == ["a3"]
        assert await guests.go("a3") == ["b1"]
        assert await guests.go("b1") == ["a4"]

    in_loop(work)


def test_who_leaves_the_line_lets_others_in() -> None:
    async def work() -> None:
        guests = Guests(WaitingLine(at_once=2, waiting=9))
        assert await guests.come("a1", "b1", "a2") == ["a1"]
        guests.tasks["b1"].cancel()
        await settle()
        assert guests.inside == ["a1", "a2"]
        guests.tasks["a1"].cancel()
        await settle()
        assert guests.inside == ["a2"] and await guests.come("a3") == ["a2", "a3"]

    in_loop(work)


def test_one_who_is_let_in_and_cancelled_at_once_leaves_no_gap() -> None:
    async def work() -> None:
        guests = Guests(WaitingLine(at_once=1, waiting=9))
        await guests.come("a1", "a2", "a3")
        guests.doors["a1"].set()
        await asyncio.sleep(0)
        guests.tasks["a2"].cancel()
        await settle()
        assert guests.inside == ["a3"]

    in_loop(work)


def test_a_line_without_places_takes_only_who_can_go_in() -> None:
    async def work() -> None:
        guests = Guests(WaitingLine(at_once=1, waiting=0))
        assert await guests.come("a1") == ["a1"]
        with pytest.raises(LineFullError, match="0 requests are waiting already"):
            async with guests.line.turn("a"):
                pass
        await guests.go("a1")
        assert await guests.come("a2") == ["a2"]

    in_loop(work)


def test_an_iterator_lives_in_one_thread_and_is_closed_there() -> None:
    async def work() -> None:
        threads, written = [], threading.Event()

        def items() -> Any:
            try:
                for number in range(3):
                    threads.append(threading.get_ident())
                    yield number
            finally:
                threads.append(threading.get_ident())
                written.set()

        assert [item async for item in in_thread(items)][-1] == 2
        assert written.is_set() and len({*threads}) == 1
        assert threads[0] != threading.get_ident()

    in_loop(work)


def test_a_slow_reader_gets_the_newest() -> None:
    async def work() -> None:
        heard = []
        stream = in_thread(lambda: (number for number in range(1000)))
        async for item in stream:
            heard.append(item)
            await asyncio.sleep(0.05)
        assert heard[-1] == 999 and len(heard) < 10

    in_loop(work)


def test_what_an_iterator_raises_is_raised_after_what_it_gave() -> None:
    async def work() -> None:
        def items() -> Any:
            yield 1
            raise ValueError("broken")

        heard = []
        with pytest.raises(ValueError, match="broken"):
            async for item in in_thread(items):
                heard.append(item)
        assert heard in ([], [1])

    in_loop(work)
