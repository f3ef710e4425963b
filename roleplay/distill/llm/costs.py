"""What a run will cost, before the first call, and what it has cost so far.

    meter = Meter("gpt-4o-mini", load_prices(), max_cost=3.0)
    meter.reserve(request)         # CostLimitError before a call that could pass the limit
    str(meter)                     # "812 calls, 940k+96k tokens, $0.20"

Tokens are estimated: one for each character that is no ASCII (today's tokenizers need 0.6 to 1 for
Chinese, so this is an upper bound), one for three ASCII ones. What was used comes from the replies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roleplay import files
from roleplay.distill.llm.ledger import Entry
from roleplay.distill.llm.requests import LLMRequest
from roleplay.errors import ModelError
from roleplay.messages import Language, Message, message

PRICES = Path(__file__).with_name("prices.json")
_TOKENS_PER_ASCII = 1 / 3
# The role and the marks around each message.
_TOKENS_PER_MESSAGE = 8

# A chunk is asked for its labels twice at most, and then twice about doubtful ones (labelling.py).
_CALLS = {"label": 4, "focus": 2, "attribute": 1}

Prices = Mapping[str, tuple[float, float]]
"""Model -> USD for a million tokens read and written."""


class CostLimitError(ModelError):
    """The next call could pass ``--max-cost``; all that was paid for is kept."""


def load_prices(path: Path = PRICES) -> Prices:
    """The prices file; raises ModelError if it is of another form."""
    try:
        rows = files.read_json(path)["models"].items()
        return {model: (float(read), float(wrote)) for model, (read, wrote) in rows}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError("distill.prices-form", path=path) from error


def count_tokens(text: str) -> int:
    """An upper estimate of the tokens of ``text``."""
    plain = sum(character < "\x80" for character in text)
    return round(plain * _TOKENS_PER_ASCII + len(text) - plain) + 1


def read_tokens(request: LLMRequest) -> int:
    """Tokens that the model reads."""
    return sum(count_tokens(one["content"]) + _TOKENS_PER_MESSAGE for one in request.messages)


@dataclass
class Meter:
    """Counts calls, tokens and money; ``spent`` begins with what the ledger holds."""

    model: str
    prices: Prices
    max_cost: float | None = None
    calls: int = 0
    read: int = 0
    wrote: int = 0
    spent: float = 0.0
    _reserved: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_cost is not None and self.model not in self.prices:
            known = " ".join(self.prices)
            raise ModelError("distill.no-price", model=self.model, path=PRICES, known=known)

    def text(self, language: Language | None = None) -> str:
        """What was counted, in a language, by default in that of this process."""
        counted = {"calls": self.calls, "read": _short(self.read), "written": _short(self.wrote)}
        key = "distill.paid" if self.model in self.prices else "distill.paid-without-price"
        return message(key, usd=self.spent, **counted).text(language)

    __str__ = text

    def price(self, read: int, wrote: int, model: str | None = None) -> float:
        """USD; 0 for a model without a price."""
        one, other = self.prices.get(model or self.model, (0.0, 0.0))
        return (read * one + wrote * other) / 1e6

    def remember(self, entries: Iterable[Entry]) -> None:
        """Count what earlier runs paid as spent: ``--max-cost`` holds for the world, not a run."""
        for entry in entries:
            self.spent += self.price(entry.prompt_tokens, entry.completion_tokens, entry.model)

    def reserve(self, request: LLMRequest) -> None:
        """Set aside what the call costs at most; CostLimitError if that could pass the limit."""
        worst = self.price(read_tokens(request), request.max_tokens)
        total = self.spent + sum(self._reserved.values()) + worst
        if self.max_cost is not None and total > self.max_cost:
            raise CostLimitError("distill.cost-limit", limit=self.max_cost, spent=self.spent)
        self._reserved[request.key] = worst

    def settle(self, request: LLMRequest, entry: Entry | None) -> None:
        """Replace what was set aside by what the call cost (None: it failed and cost nothing)."""
        self._reserved.pop(request.key, None)
        if entry is not None:
            self.calls += 1
            self.read += entry.prompt_tokens
            self.wrote += entry.completion_tokens
            self.spent += self.price(entry.prompt_tokens, entry.completion_tokens)


def most_calls(requests: Iterable[LLMRequest], concurrency: int) -> int:
    """How many calls requests can lead to: what is doubtful or unread is asked again.

    Those under way when a model turns out to need room for thinking are asked twice.
    """
    asked = [_CALLS.get(request.task, 2) for request in requests]
    return sum(asked) + min(len(asked), concurrency)


def estimate(requests: Iterable[LLMRequest], meter: Meter) -> Message:
    """One line: calls, tokens and money of requests that were not asked yet."""
    asked = list(requests)
    read, wrote = sum(map(read_tokens, asked)), sum(request.expected_tokens for request in asked)
    counted = {"calls": len(asked), "read": _short(read), "written": _short(wrote)}
    values = {"usd": meter.price(read, wrote), "model": meter.model, "file": PRICES.name}
    key = "distill.estimate" if meter.model in meter.prices else "distill.estimate-without-price"
    return message(key, **counted, **values)


def _short(tokens: int) -> str:
    return f"{tokens / 1000:.0f}k" if tokens >= 10_000 else str(tokens)
