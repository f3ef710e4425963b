"""Replies of several callers at once: all their candidates decode as one batch.

    batch = Batch(model)                       # what can read a prompt and run a step
    for rows in batch.stream(ids, n=5, params=params):
        ...                                    # called from as many threads as there are callers

One thread does all the work, as two that compute on the same cores only wait for each other. A
request is read when a step is over, its candidates join the batch, and leave it when they end. Rows
of different lengths begin with a gap that nobody sees; alone, a request has none. What has to
be alone (:meth:`Batch.run`, :meth:`Batch.alone`) comes between two steps, or two requests.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from roleplay.sampling import Candidates, SamplingParams

T = TypeVar("T")
Ids = list[list[int]]
"""The new ids of each candidate."""

MOST_ROWS = 24
"""Candidates that decode at once; further requests wait."""
_IDLE = 5.0
"""Seconds after which the thread ends; the next request starts another."""


class Model(Protocol):
    """What a batch asks of :class:`roleplay.backends.local.LocalBackend`."""

    prefix_length: int

    def read(self, ids: Tensor) -> tuple[Any, Tensor]:
        """A cache of one row that has read ids [1, q], and the last state [1, 1, h]."""

    def words(self, hidden: Tensor) -> Tensor:
        """Logits [b, vocabulary] of the last of the states [b, q, h]."""

    def step(self, ids: Tensor, cache: Any, padding: Tensor | None) -> Tensor:
        """Logits [b, vocabulary] after ids [b, 1]; the gap of each row is ``padding`` [b]."""

    def ends(self, ids: list[int]) -> bool:
        """Whether a reply with these ids is finished."""


@dataclass(eq=False)
class _Request:
    """A prompt int64 [1, q], its candidates, and where the caller waits for them."""

    ids: Tensor
    candidates: Candidates
    shown: "queue.SimpleQueue[Any]" = field(default_factory=queue.SimpleQueue)
    is_left: bool = False
    """Whether the caller went away."""

    def may_join(self, rows: int) -> bool:
        """Whether it may begin beside so many rows."""
        return rows + self.candidates.count <= MOST_ROWS


@dataclass(eq=False)
class _Alone:
    """Work that yields what the caller waits for, while nothing else is answered."""

    make: Callable[[], Iterator[Any]]
    shown: "queue.SimpleQueue[Any]" = field(default_factory=queue.SimpleQueue)
    is_left: bool = False

    def may_join(self, rows: int) -> bool:
        """As of a request."""
        return not rows


class _Between(_Alone):
    """Work that leaves what is being answered as it is."""

    def may_join(self, rows: int) -> bool:
        """Between two steps."""
        return True


_DONE = object()


class Batch:
    """The requests that are being answered, and those that wait."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._state = threading.Condition()
        self._waiting: deque[_Request | _Alone] = deque()
        self._thread: threading.Thread | None = None
        self._pauses = 0
        # The worker's own: who decodes, with how many rows each in this order, and their keys.
        self._live: list[_Request] = []
        self._tokens: list[list[int]] = []
        self._cache: Any = None
        self._gaps: list[int] = []
        self._rows: list[int] = []

    def stream(self, ids: Tensor, *, n: int, params: SamplingParams) -> Iterator[Ids]:
        """The new ids of ``n`` candidates as they grow, for one prompt int64 [1, q]."""
        yield from self._shown(_Request(ids, Candidates(n, params, self._model.ends, ids.device)))

    def alone(self, make: Callable[[], Iterator[Ids]]) -> Iterator[Ids]:
        """What ``make`` yields, while nothing else is answered: for rows that know no gaps."""
        yield from self._shown(_Alone(make))

    def run(self, work: Callable[[], T]) -> T:
        """What ``work`` gives, done between two steps by the thread that does everything."""

        def make() -> Iterator[T]:
            yield work()

        found: list[T] = list(self._shown(_Between(make)))
        return found[0]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Wait until nothing is being written; what is asked meanwhile waits."""
        with self._state:
            self._pauses += 1
            self._state.notify_all()
            self._state.wait_for(lambda: not self._is_running())
        try:
            yield
        finally:
            with self._state:
                self._pauses -= 1
                self._start()

    def _shown(self, item: "_Request | _Alone") -> Iterator[Any]:
        with self._state:
            self._waiting.append(item)
            self._start()
            self._state.notify_all()
        try:
            while (found := item.shown.get()) is not _DONE:
                if isinstance(found, BaseException):
                    raise found
                yield found
        finally:
            item.is_left = True

    def _start(self) -> None:
        """See that somebody works, unless nothing waits, or all is to be still."""
        # A process that was forked from this one has no such thread, whatever stands here.
        if self._waiting and not self._pauses and not self._is_running():
            self._forget()
            self._thread = threading.Thread(target=self._work, daemon=True, name="replies")
            self._thread.start()

    def _forget(self) -> None:
        self._live, self._tokens, self._rows, self._gaps, self._cache = [], [], [], [], None

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _work(self) -> None:
        """Take what waits, and go a step, until nothing has come for a while."""
        while True:
            with self._state:
                if not self._live:
                    self._state.wait_for(lambda: self._waiting or self._pauses, _IDLE)
                    if self._pauses or not self._waiting:
                        self._thread = None
                        self._state.notify_all()
                        return
                item = self._next()
            concerned = [item] if item else [*self._live]
            try:
                with torch.inference_mode():
                    self._begin(item) if item else self._step()
            except BaseException as error:  # raised where the callers are
                for one in concerned:
                    one.shown.put(error)
                    one.is_left = True
                if not item:  # a step that broke off leaves nothing that fits together
                    self._forget()
                del concerned, error

    def _next(self) -> "_Request | _Alone | None":
        """What waits first, unless it must go on waiting."""
        first = self._waiting[0] if self._waiting else None
        rows = sum(self._rows)
        if first is None or (rows and not first.may_join(rows)) or (rows and self._pauses):
            return None
        return self._waiting.popleft()

    def _begin(self, item: "_Request | _Alone") -> None:
        if item.is_left:
            return
        if isinstance(item, _Alone):
            for found in item.make():
                item.shown.put(found)
                if item.is_left:
                    return
            item.shown.put(_DONE)
            return
        cache, hidden = self._model.read(item.ids)
        logits = self._model.words(hidden)
        tokens = self._grown(item, logits.expand(item.candidates.count, -1))[0]
        if tokens:
            cache.batch_repeat_interleave(len(tokens))
            self._join(cache, len(tokens))
            self._live.append(item)
            self._tokens.append(tokens)

    def _grown(self, request: _Request, logits: Tensor) -> tuple[list[int], list[int]]:
        """The newest tokens of those that go on, and which rows these are."""
        tokens, kept = request.candidates.grow(logits)
        request.shown.put([[*row] for row in request.candidates.rows])
        if not tokens:
            request.shown.put(_DONE)
        return tokens, kept

    def _step(self) -> None:
        """One more token for every row."""
        self._select([[*range(len(part))] for part in self._tokens])  # without those who left
        if not self._live:
            return
        ids = torch.tensor([token for part in self._tokens for token in part])
        device = self._live[0].ids.device
        padding = torch.tensor(self._gaps, device=device) if any(self._gaps) else None
        logits = self._model.step(ids.to(device)[:, None], self._cache, padding)
        parts = torch.split(logits, [len(part) for part in self._tokens])
        grown = [self._grown(*pair) for pair in zip(self._live, parts, strict=True)]
        self._tokens = [tokens for tokens, _ in grown]
        self._select([kept for _, kept in grown])

    def _select(self, kept: list[list[int]]) -> None:
        """Keep these rows of each request, and no request without any."""
        index, start = [], 0
        for request, part, chosen in zip(self._live, self._rows, kept, strict=True):
            if not request.is_left:
                index += [start + place for place in chosen]
            start += part
        live = [
            (request, tokens)
            for request, tokens in zip(self._live, self._tokens, strict=True)
            if tokens and not request.is_left
        ]
        self._live, self._tokens = [one for one, _ in live], [tokens for _, tokens in live]
        if not index:
            self._cache, self._gaps = None, []
        elif len(index) < len(self._gaps):
            self._cache.batch_select_indices(torch.tensor(index))
            gaps = [self._gaps[place] for place in index]
            self._shift(self._cache, -min(gaps))
            self._gaps = [gap - min(gaps) for gap in gaps]
        self._rows = [len(tokens) for tokens in self._tokens]

    def _join(self, cache: Any, rows: int) -> None:
        """Put a cache below the one that there is; the shorter of them gets a gap."""
        if self._cache is None:
            self._cache, self._gaps, self._rows = cache, [0] * rows, [rows]
            return
        more = cache.get_seq_length() - self._cache.get_seq_length()
        self._shift(self._cache, max(more, 0))
        self._shift(cache, max(-more, 0))
        self._gaps = [gap + max(more, 0) for gap in self._gaps] + [max(-more, 0)] * rows
        for own, new in zip(self._cache.layers, cache.layers, strict=True):
            own.keys = torch.cat([own.keys, new.keys])
            own.values = torch.cat([own.values, new.values])
        self._rows.append(rows)

    def _shift(self, cache: Any, by: int) -> None:
        """Widen the gap between the adapter's prefix and the rest; below zero: narrow it."""
        if not by:
            return
        start = self._model.prefix_length
        for layer in cache.layers:
            for name in ("keys", "values"):
                kept = getattr(layer, name)
                gap = kept.new_zeros(*kept.shape[:2], max(by, 0), kept.shape[3])
                rest = kept[:, :, start + max(-by, 0) :]
                setattr(layer, name, torch.cat([kept[:, :, :start], gap, rest], dim=2))
