"""What a run will cost, before the first call, and what it has cost so far.

    meter = Meter("gpt-4o-mini", load_prices(), max_cost=3.0)
    meter.reserve(question)         # CostLimitError before a call that could pass the limit
    str(meter)                      # "812 calls, 940k+96k tokens, $0.20"

Without a tokenizer tokens are estimated: one for each character that is no ASCII (today's tokenizers need 0.6 to 1
for Chinese, so this is an upper bound), one for three ASCII characters. What was really used comes from the replies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roleplay import files
from roleplay.distill.ledger import Entry
from roleplay.distill.questions import Question
from roleplay.errors import ModelError

PRICES = Path(__file__).with_name("prices.json")
TOKENS_PER_CHARACTER = 1.0
"""Of Chinese; an upper bound."""
TOKENS_PER_ASCII = 1 / 3
TOKENS_PER_MESSAGE = 8

Prices = Mapping[str, tuple[float, float]]
"""Model -> USD for a million tokens read and written."""


class CostLimitError(ModelError):
    """The next call could pass ``--max-cost``; all that was paid for is kept."""


def load_prices(path: Path = PRICES) -> Prices:
    """The prices file.

    Raises:
        WorldError: it is no JSON.
        ModelError: it is JSON of another form.
    """
    try:
        return {model: (float(read), float(wrote)) for model, (read, wrote) in files.read_json(path)["models"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f'{path}: prices look like {{"models": {{"name": [0.15, 0.6]}}}}: mend it') from error


def count_tokens(text: str) -> int:
    """An upper estimate of the tokens of ``text``."""
    plain = sum(character < "\x80" for character in text)
    return round(plain * TOKENS_PER_ASCII + (len(text) - plain) * TOKENS_PER_CHARACTER) + 1


def read_tokens(question: Question) -> int:
    """Tokens that the model reads."""
    return sum(count_tokens(message["content"]) + TOKENS_PER_MESSAGE for message in question.messages)


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
            raise ModelError(
                f"--max-cost needs a price and {self.model!r} has none: add it to {PRICES} "
                f"(known are {' '.join(self.prices)}), or leave --max-cost out"
            )

    def __str__(self) -> str:
        money = f", ${self.spent:.2f}" if self.model in self.prices else ""
        return f"{self.calls} calls, {_short(self.read)}+{_short(self.wrote)} tokens{money}"

    def price(self, read: int, wrote: int, model: str | None = None) -> float:
        """USD; 0 for a model without a price."""
        one, other = self.prices.get(model or self.model, (0.0, 0.0))
        return (read * one + wrote * other) / 1e6

    def remember(self, entries: Iterable[Entry]) -> None:
        """Count what earlier runs paid as spent, so that ``--max-cost`` holds for the world and not for a run."""
        for entry in entries:
            self.spent += self.price(entry.prompt_tokens, entry.completion_tokens, entry.model)

    def reserve(self, question: Question) -> None:
        """Set aside what the call could cost at most.

        Raises:
            CostLimitError: that and what is spent would pass the limit.
        """
        worst = self.price(read_tokens(question), question.max_tokens)
        if self.max_cost is not None and self.spent + sum(self._reserved.values()) + worst > self.max_cost:
            raise CostLimitError(
                f"stopped before passing --max-cost {self.max_cost}: ${self.spent:.4f} spent, all answers are kept; "
                "raise it and run the same command again to go on"
            )
        self._reserved[question.key] = worst

    def settle(self, question: Question, entry: Entry | None) -> None:
        """Replace what was set aside by what the call really cost (None: it failed and cost nothing)."""
        self._reserved.pop(question.key, None)
        if entry is not None:
            self.calls += 1
            self.read += entry.prompt_tokens
            self.wrote += entry.completion_tokens
            self.spent += self.price(entry.prompt_tokens, entry.completion_tokens)


def estimate(questions: Iterable[Question], meter: Meter) -> str:
    """One line: calls, tokens and money of questions that were not asked yet."""
    asked = list(questions)
    read, wrote = sum(map(read_tokens, asked)), sum(question.expected_tokens for question in asked)
    line = f"{len(asked)} calls, about {_short(read)} tokens read and {_short(wrote)} written"
    if meter.model not in meter.prices:
        return f"{line}; no price for {meter.model!r} in {PRICES.name}"
    return f"{line}, about ${meter.price(read, wrote):.2f}"


def _short(tokens: int) -> str:
    return f"{tokens / 1000:.0f}k" if tokens >= 10_000 else str(tokens)
