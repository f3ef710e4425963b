"""Several callers at once: each gets what it would get alone, and nobody waits for nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from roleplay.backends import batching
from roleplay.backends.local import LocalBackend
from roleplay.errors import PromptError
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams
from tests.roleplay import tiny

MODELS: dict[str, Callable[[], Any]] = {
    "gemma": lambda: tiny.gemma("sliding_attention", "full_attention", *["sliding_attention"] * 2),
    "llama": tiny.llama,
}
TEXTS = (
    "闻筝：雨停了吗？\n陆迟：",
    "陆迟：",
    "闻筝：走。\n闻筝：走。\n闻筝：走。\n陆迟：",
    "铜婆：来。\n闻筝：",
)


def backend_of(name: str) -> LocalBackend:
    return LocalBackend(MODELS[name](), tiny.tokenizer(), name=name)


def params(seed: int, most: int = 24) -> SamplingParams:
    return SamplingParams.checked(seed=seed, max_new_tokens=most, temperature=1.2)


def drawn(backend: LocalBackend, number: int, n: int) -> list[list[int]]:
    """The ids of all candidates, so that no character is lost."""
    ids = backend.encode(Prompt((TEXTS[number % len(TEXTS)],)))
    settings = params(number, 8 + 5 * (number % 4))
    *_, rows = backend._batch.stream(ids, n=n, params=settings)
    return rows


@pytest.mark.parametrize("name", MODELS)
def test_together_is_as_alone(name: str) -> None:
    """Prompts of different lengths, candidates that end at different steps."""
    backend = backend_of(name)
    sizes = [1, 3, 2, 1, 5, 2, 1, 4]
    alone = [drawn(backend, number, n) for number, n in enumerate(sizes)]
    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(drawn, backend, number, n) for number, n in enumerate(sizes)]
        assert [job.result() for job in jobs] == alone


def test_gaps_are_narrowed_again() -> None:
    """The longest leaves first: those that stay end as if it had never been there."""
    backend = backend_of("gemma")
    short = backend.encode(Prompt((TEXTS[1],)))
    long = backend.encode(Prompt((TEXTS[2] * 3,)))
    alone = list(backend._batch.stream(short, n=2, params=params(5, 40)))[-1]
    beside = backend._batch.stream(short, n=2, params=params(5, 40))
    next(beside)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: list(backend._batch.stream(long, n=3, params=params(6, 3))))
        together = list(beside)[-1]
        other.result()
    assert together == alone


def test_who_goes_away_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is closed decodes no more, and a waiting one takes its place."""
    monkeypatch.setattr(batching, "MOST_ROWS", 3)
    backend = backend_of("llama")
    backend.ends = lambda ids: False  # type: ignore[method-assign]
    ids = backend.encode(Prompt((TEXTS[0],)))
    first = backend._batch.stream(ids, n=3, params=params(1, 200))
    next(first)
    second = backend._batch.stream(ids, n=2, params=params(2, 4))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: list(second))
        time.sleep(0.05)
        assert not waiting.done()
        first.close()
        assert len(waiting.result(timeout=20)[-1][0]) == 4


def test_work_between_two_steps() -> None:
    backend = backend_of("llama")
    backend.ends = lambda ids: False  # type: ignore[method-assign]
    ids = backend.encode(Prompt((TEXTS[0],)))
    rows = backend._batch.stream(ids, n=1, params=params(1, 150))
    next(rows)
    names = {backend.between(lambda: threading.current_thread().name) for _ in range(3)}
    assert names == {"replies"}
    with pytest.raises(ZeroDivisionError):
        backend.between(lambda: 1 // 0)
    assert len(list(rows)[-1][0]) == 150


def test_a_pause_waits_and_holds() -> None:
    backend = backend_of("llama")
    backend.ends = lambda ids: False  # type: ignore[method-assign]
    ids = backend.encode(Prompt((TEXTS[0],)))
    rows = backend._batch.stream(ids, n=1, params=params(1, 60))
    next(rows)
    with ThreadPoolExecutor(1) as pool:
        with backend.paused():
            assert len(list(rows)[-1][0]) == 60  # it was finished first
            later = pool.submit(drawn, backend, 1, 1)
            time.sleep(0.1)
            assert not later.done()
        assert later.result(timeout=20)


def test_an_error_reaches_its_caller_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = backend_of("llama")
    ids = backend.encode(Prompt((TEXTS[0],)))
    alone = drawn(backend, 0, 2)
    read = backend.read

    def broken(ids: torch.Tensor) -> Any:
        if ids.shape[1] == 2:
            raise MemoryError("no room")
        return read(ids)

    monkeypatch.setattr(backend, "read", broken)
    rows = backend._batch.stream(ids, n=2, params=params(0, 8))
    next(rows)
    with pytest.raises(MemoryError, match="no room"):
        list(backend._batch.stream(ids[:, :2], n=1, params=params(1)))
    assert list(rows)[-1] == alone


def test_a_step_that_fails_is_told_to_all_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = backend_of("llama")
    alone, step = drawn(backend, 0, 2), backend.step
    backend.ends = lambda ids: False  # type: ignore[method-assign]

    def broken(*args: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr(backend, "step", broken)
    for _ in range(2):
        with pytest.raises(MemoryError, match="no room"):
            drawn(backend, 0, 2)
    monkeypatch.setattr(backend, "step", step)
    monkeypatch.delattr(backend, "ends")
    assert drawn(backend, 0, 2) == alone


def test_a_prompt_that_is_too_long_never_waits() -> None:
    backend = backend_of("llama")
    with pytest.raises(PromptError):
        next(backend.stream(Prompt((TEXTS[0] * 60,)), n=1, params=params(1)))
