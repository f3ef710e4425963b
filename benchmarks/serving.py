"""Clients of a running API: is each told its own, and how long does the first token take?

    python scripts/serve.py --world worlds/chuiyan &
    python -m benchmarks.serving http://127.0.0.1:8000/v1 chuiyan --clients 8 --seconds 180

Each client asks its own questions with its own seeds over and over, in turn whole and streamed.
What an answer must be is asked first, alone; an answer that differs is another's or was damaged.
"""

import argparse
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai

from benchmarks.machine import describe

_QUESTIONS = ("你是谁？", "今天的雨下得怎么样？", "你最爱吃什么？", "你为什么不说话？")


@dataclass
class Heard:
    """What came of the requests of a client; seconds."""

    right: int = 0
    other: list[tuple[str, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


def main() -> None:
    """Print a table row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("world", help="name of the world whose characters are asked")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--max-tokens", type=int, default=24)
    args = parser.parse_args()
    print(describe())
    client = connect(args.address)
    models = [one.id for one in client.models.list() if one.id.startswith(f"{args.world}/")]
    plans = [plan(number, models, args.max_tokens) for number in range(args.clients)]
    alone, expected = Heard(), []
    for asked in plans:
        expected.append([ask(client, one, alone, streamed=True) for one in asked])
    end = time.monotonic() + args.seconds
    with ThreadPoolExecutor(args.clients) as pool:
        work = [
            pool.submit(talk, connect(args.address), asked, texts, end)
            for asked, texts in zip(plans, expected, strict=True)
        ]
        heard = [one.result() for one in work]
    print("| clients | right | other text | failed | first token alone | first | whole |")
    print(f"|{'---|' * 7}")
    first, whole = ([s for one in heard for s in getattr(one, name)] for name in ("first", "whole"))
    counts = [sum(one.right for one in heard), *(sum(len(getattr(one, name)) for one in heard)
              for name in ("other", "failed"))]  # fmt: skip
    seconds = [f"{statistics.median(part):.2f} s" for part in (alone.first, first, whole)]
    print(f"| {args.clients} | {' | '.join(map(str, [*counts, *seconds]))} |")
    for one in heard:
        for shown in [*one.other, *one.failed][:3]:
            print(shown)


def connect(address: str) -> openai.OpenAI:
    """A client that asks once, of this machine, without a proxy."""
    plain = httpx2.Client(trust_env=False, timeout=600)
    key = os.environ.get("ROLEPLAY_API_KEY", "none")
    return openai.OpenAI(base_url=address, api_key=key, max_retries=0, http_client=plain)


def plan(number: int, models: list[str], most: int) -> list[dict[str, Any]]:
    """The requests of one client."""
    return [
        {
            "model": models[(number + place) % len(models)],
            "messages": [{"role": "user", "content": question}],
            "seed": 1000 * number + place,
            "max_tokens": most,
        }
        for place, question in enumerate(_QUESTIONS)
    ]


def talk(
    client: openai.OpenAI, plan: list[dict[str, Any]], expected: list[str], end: float
) -> Heard:
    """Ask until the time is over."""
    heard, turn = Heard(), 0
    while time.monotonic() < end:
        place = turn % len(plan)
        try:
            text = ask(client, plan[place], heard, streamed=turn % 3 > 0)
        except openai.OpenAIError as error:
            heard.failed.append(str(error))
        else:
            if text == expected[place]:
                heard.right += 1
            else:
                heard.other.append((text, expected[place]))
        turn += 1
    return heard


def ask(client: openai.OpenAI, asked: dict[str, Any], heard: Heard, *, streamed: bool) -> str:
    """The answer; the times are kept."""
    begun, text = time.monotonic(), ""
    if streamed:
        for chunk in client.chat.completions.create(stream=True, **asked):
            if chunk.choices and (piece := chunk.choices[0].delta.content):
                if not text:
                    heard.first.append(time.monotonic() - begun)
                text += piece
    else:
        text = client.chat.completions.create(**asked).choices[0].message.content or ""
    heard.whole.append(time.monotonic() - begun)
    return text


if __name__ == "__main__":
    main()
