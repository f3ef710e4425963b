"""Speed and peak memory of training: one row a line as a plain loop does it, against packed scenes.

    python benchmarks/training.py                          # alone on the machine, some minutes
    python benchmarks/training.py --tokens 3000 --adapter prefix

``plain``: the rows of ``train.json``, the whole prompt before each answer, batches of 4 padded to
the longest, the logits of all positions, cross entropy with labels -100, PEFT's own LoRA, as a loop
over ``model(**batch).loss`` does. ``packed``: this project's rows, positions and head. Both train
the same adapter with the same optimizer and learning rate, in the same type, with about the same
number of supervised tokens a step, each in a process of its own; held-out losses are taken in the
same way, on ``test.passages.jsonl``, after the same number of supervised tokens. Nothing is
written.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.nn import functional

from benchmarks.machine import describe
from roleplay import cli
from roleplay.adapters.lora import new_lora
from roleplay.models import bundled, causal, loading
from roleplay.training.attention import use_products
from roleplay.training.data import TokenRow, encode_passages, read_passages
from roleplay.training.examples import read_examples
from roleplay.training.families import family_of
from roleplay.training.settings import RATES, TrainSettings
from roleplay.training.steps import collate, mean_loss, target_states

ROOT = Path(__file__).resolve().parents[1]
WAYS = ("plain", "packed")


def main(argv: list[str] | None = None) -> int:
    """Measure both ways, each in its own process, and print the table."""
    args = _parser().parse_args(argv)
    return cli.run(lambda: _child(args) if args.way else _measure(args, argv), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, default=ROOT / "worlds" / "chuiyan")
    parser.add_argument("--model", default=bundled.NAME, help="a name, a folder or a hub id")
    parser.add_argument("--adapter", choices=list(RATES), default="lora")
    parser.add_argument(
        "--tokens", type=int, default=2000, help="supervised tokens that each way trains on"
    )
    parser.add_argument("--test-rows", type=int, default=12, help="held-out passages for the loss")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    cli.add_common(parser)
    return parser


def _measure(args: argparse.Namespace, argv: list[str] | None) -> None:
    print(describe(), flush=True)
    given = sys.argv[1:] if argv is None else argv
    found = {way: _run(way, given) for way in WAYS}
    plain, packed = (found[way] for way in WAYS)
    print(f"\n{args.model}, {args.adapter}, {packed['type']}, {packed['threads']} threads\n")
    print("| | plain rows | packed scenes | packed / plain |\n|---|---|---|---|")
    for name, key, digits in (
        ("supervised tokens", "tokens", 0),
        ("all tokens computed, padding included", "computed", 0),
        ("seconds", "seconds", 1),
        ("supervised tokens a second", "rate", 1),
        ("peak memory, GB", "peak_gb", 2),
        ("held-out loss before, nats a token", "before", 3),
        ("held-out loss after", "after", 3),
    ):
        one, other = plain[key], packed[key]
        print(f"| {name} | {one:.{digits}f} | {other:.{digits}f} | {other / one:.2f} |")
    print(json.dumps({"ratio": round(packed["rate"] / plain["rate"], 3)} | found))


def _run(way: str, given: Sequence[str]) -> dict[str, Any]:
    """The figures of one way, from a process of its own, so that the peak memory is its own."""
    command = [sys.executable, str(Path(__file__).resolve()), *given, "--way", way]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{way} ended with {done.returncode}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{way}: {figures['rate']:.1f} supervised tokens a second", file=sys.stderr, flush=True)
    return figures


def _child(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    tokenizer = loading.load_tokenizer(args.model)
    model = loading.load_causal(args.model, dtype=loading.training_dtype())
    passages = {
        part: read_passages(args.world / f"{part}.passages.jsonl") for part in ("train", "test")
    }
    rows = {
        part: encode_passages(tokenizer, found, max_tokens=1024) for part, found in passages.items()
    }
    way = (
        _Packed(model, rows["train"], args)
        if args.way == "packed"
        else _Plain(model, tokenizer, rows["train"], args)
    )
    test = rows["test"][: args.test_rows]
    figures = {
        "before": mean_loss(model, test),
        "type": str(model.dtype),
        "threads": torch.get_num_threads(),
    }
    figures |= _train(way, args)
    figures["after"] = mean_loss(way.adapted.eval(), test)
    print(json.dumps(figures))


def _train(way: _Way, args: argparse.Namespace) -> dict[str, float]:
    """Steps of AdamW until enough supervised tokens were learnt."""
    trained = [value for value in way.adapted.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATES[args.adapter], weight_decay=0.0)
    way.adapted.train()
    tokens = computed = 0
    begun = time.perf_counter()
    for step in way.steps():
        if tokens >= args.tokens:
            break
        learnt, all_tokens = way.learn(step)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens, computed = tokens + learnt, computed + all_tokens
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = {"tokens": tokens, "computed": computed, "seconds": seconds}
    return found | {"rate": tokens / seconds, "peak_gb": peak}


class _Way(ABC):
    """One way of training: what a step is, and what it costs."""

    adapted: Any

    @abstractmethod
    def steps(self) -> Iterator[Any]:
        """Steps without end."""

    @abstractmethod
    def learn(self, step: Any) -> tuple[int, int]:
        """Add the step's gradients; (supervised tokens, tokens computed)."""


class _Plain(_Way):
    """Rows of one answer each, padded; logits of every position."""

    def __init__(
        self, model: Any, tokenizer: Any, rows: Sequence[TokenRow], args: argparse.Namespace
    ) -> None:
        self._examples = read_examples(args.world / "train.json")
        self._tokenizer = tokenizer
        # As many supervised tokens a step as four passages have, in batches of 4.
        self._wanted = 4 * sum(row.targets for row in rows) / len(rows)
        self._chance = random.Random(args.seed)
        self.adapted = _peft(model, rows, args)

    def steps(self) -> Iterator[list[TokenRow]]:
        rows: list[TokenRow] = []
        while True:
            for example in self._chance.sample(self._examples, len(self._examples)):
                rows.append(self._encode(example.prompt, example.response))
                if sum(row.targets for row in rows) >= self._wanted:
                    yield rows
                    rows = []

    def _encode(self, prompt: str, response: str) -> TokenRow:
        asked = causal.encode_prompt(self._tokenizer, [prompt])
        answer = self._tokenizer(f"{response}\n", add_special_tokens=False).input_ids
        return TokenRow((*asked, *answer), (0.0,) * len(asked) + (1.0,) * len(answer))

    def learn(self, step: list[TokenRow]) -> tuple[int, int]:
        targets, computed = sum(row.targets for row in step), 0
        for start in range(0, len(step), 4):
            ids, mask, labels = _padded(step[start : start + 4], self._tokenizer.pad_token_id or 0)
            logits = self.adapted(input_ids=ids, attention_mask=mask).logits.float()
            loss = functional.cross_entropy(
                logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum"
            )
            (loss / targets).backward()  # type: ignore[no-untyped-call]
            computed += ids.numel()
        return targets, computed


def _padded(
    rows: Sequence[TokenRow], padding: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(ids, mask, labels), int64 [rows, longest]: padded on the right; labels -100: no target."""
    longest = max(len(row.ids) for row in rows)
    gaps = [longest - len(row.ids) for row in rows]
    labels = [
        [token if weight else -100 for token, weight in zip(row.ids, row.weights, strict=True)]
        for row in rows
    ]
    return (
        torch.tensor([[*row.ids, *[padding] * gap] for row, gap in zip(rows, gaps, strict=True)]),
        torch.tensor([[1] * len(row.ids) + [0] * gap for row, gap in zip(rows, gaps, strict=True)]),
        torch.tensor([[*label, *[-100] * gap] for label, gap in zip(labels, gaps, strict=True)]),
    )


def _peft(model: Any, rows: Sequence[TokenRow], args: argparse.Namespace) -> Any:
    """The adapter as PEFT makes it, with PEFT's own forward."""
    if args.adapter == "lora":
        return new_lora(model, rank=TrainSettings.lora_rank, lean=False)
    return family_of(model).new_adapter(model, rows, TrainSettings(adapter="prefix"))


class _Packed(_Way):
    """Whole scenes, four a step, as scripts/train_roleplaying.py runs them."""

    def __init__(self, model: Any, rows: Sequence[TokenRow], args: argparse.Namespace) -> None:
        use_products(model)
        self._rows = rows
        self._chance = random.Random(args.seed)
        self.adapted = family_of(model).new_adapter(
            model, rows, TrainSettings(adapter=args.adapter)
        )

    def steps(self) -> Iterator[list[TokenRow]]:
        while True:
            order = self._chance.sample(self._rows, len(self._rows))
            yield from (order[start : start + 4] for start in range(0, len(order) - 3, 4))

    def learn(self, step: list[TokenRow]) -> tuple[int, int]:
        targets = sum(row.targets for row in step)
        for row in step:
            hidden, labels, weights = target_states(self.adapted, collate([row]))
            loss = family_of(self.adapted).loss(self.adapted, hidden, labels, weights)
            (loss / targets).backward()  # type: ignore[no-untyped-call]
        return targets, sum(len(row.ids) for row in step)


if __name__ == "__main__":
    raise SystemExit(main())
