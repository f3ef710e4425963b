"""Who labels: the rules alone, or an endpoint as well; the options of that, checked in one place.

    settings = Backend(backend="openai", model="gpt-4o-mini", max_cost=2.0)
    async with settings.client(ledger, settings.meter(ledger)) as client: ...
    tell_answers(client, "script", say)     # answers  script: 118 of use, 1 cut, 2 refused

Whatever asks a model goes through here: the ledger before the endpoint, the estimate before the
first call, the answers of a batch file before both.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roleplay.distill.batches import read_batch, write_batch
from roleplay.distill.llm.client import CachedClient
from roleplay.distill.llm.costs import PRICES, Meter, estimate, load_prices, most_calls
from roleplay.distill.llm.endpoint import ATTEMPTS, Endpoint, settings_from
from roleplay.distill.llm.ledger import Ledger
from roleplay.distill.llm.requests import LLMRequest
from roleplay.messages import Message, message
from roleplay.options import Options, option
from roleplay.stages.progress import Teller

RULES = "rules"
_SHOWN = 20
_FATES = ("used", "strange", "cut", "unreadable", "refused", "failed")


@dataclass(frozen=True)
class Backend(Options):
    """The options of whatever may ask an endpoint."""

    backend: str = option(RULES, "rules, openai, or an address", "rules、openai，或一个接口的地址")
    model: str = option("", "the endpoint's, like gpt-4o-mini", "接口上的模型，例如 gpt-4o-mini")
    max_cost: float | None = option(
        None, "USD, all runs together: stop before it", "各次运行合计的上限（美元）", least=0
    )
    prices: Path = option(PRICES, "prices to count with", "计价用的价目表")
    concurrency: int = option(8, "requests at a time", "同时进行的请求数", least=1)
    limit: int | None = option(None, "most requests of this run", "这次最多问几次", least=0)
    dry_run: bool = option(False, "tell what it would cost and stop", "只估算费用，然后停下")
    batch_out: Path | None = option(
        None, "write open requests as an OpenAI batch, stop", "把未问的写成 OpenAI 批量格式，停下"
    )
    batch_in: Path | None = option(None, "take the answers of a batch first", "先读入一份批量结果")

    def problems(self) -> Iterator[Message]:
        """An unknown backend, or one without a model."""
        known = self.backend in (RULES, "openai")
        if not known and not self.backend.startswith(("http://", "https://")):
            yield message("backend.unknown", value=self.backend)
        elif self.asks and not self.model:
            yield message("backend.no-model", value=self.backend)

    @property
    def asks(self) -> bool:
        """Whether an endpoint is asked."""
        return self.backend != RULES

    def meter(self, ledger: Ledger) -> Meter:
        """Counts the cost, beginning with what earlier runs paid."""
        meter = Meter(self.model, load_prices(self.prices), self.max_cost)
        meter.remember(ledger)
        return meter

    def client(self, ledger: Ledger, meter: Meter, *, alone: bool = False) -> CachedClient:
        """A client of the ledger and the endpoint; ``alone`` or for a batch, of the ledger only."""
        url = None if self.backend == "openai" else self.backend
        endpoint = None
        if not (alone or self.batch_out):
            endpoint = Endpoint(
                settings_from(self.model, base_url=url, concurrency=self.concurrency)
            )
        return CachedClient(ledger, meter, endpoint, limit=self.limit)


def take_batch(settings: Backend, ledger: Ledger, say: Teller) -> None:
    """Put the answers of ``batch_in`` into the ledger, where there is one."""
    if settings.batch_in:
        took = read_batch(settings.batch_in, ledger, model=settings.model)
        say.say("backend.batch-taken", taken=took.taken, failed=len(took.failed))
        for line in took.failed[:_SHOWN]:
            say.say("plain", text=line)


def tell_estimate(
    requests: Sequence[LLMRequest],
    ledger: Ledger,
    meter: Meter,
    say: Teller,
    *,
    settings: Backend | None = None,
    answered: int = 0,
) -> int:
    """Tell what the requests without an answer will cost, and the most calls; their number.

    ``answered``: how many others have one.
    """
    todo = [request for request in requests if ledger.get(request.key) is None]
    backend, every = settings or Backend(), len(requests) + answered
    most = most_calls(todo, backend.concurrency)
    most = most if backend.limit is None else min(most, backend.limit)
    told = {"estimate": estimate(todo, meter), "answered": every - len(todo), "all": every}
    say.say("backend.estimate", most=most, tries=ATTEMPTS, **told)
    return len(todo)


def tell_answers(client: CachedClient, task: str, say: Teller) -> bool:
    """Tell what became of the answers of a task, unless all were of use; False: all were empty."""
    counts = {name: client.tally[name] for name in _FATES}
    client.tally.clear()
    if sum(counts.values()) > counts["used"]:
        say.say("backend.answers", task=task, **counts)
    return bool(counts["used"] + counts["strange"]) or not sum(counts.values())


def give_batch(settings: Backend, pending: Iterable[LLMRequest], say: Teller) -> bool:
    """Write the open requests to ``batch_out``; whether there were any and one is wanted."""
    found = list(pending)
    if not (settings.batch_out and found):
        return False
    count = write_batch(settings.batch_out, found)
    say.say("backend.batch-written", count=count, path=settings.batch_out)
    return True
