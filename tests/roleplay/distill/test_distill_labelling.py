"""Labelling with a scripted model behind a real HTTP server: wrong speakers, faults, parrots."""

from __future__ import annotations

import asyncio
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from roleplay.distill.checks import verify_verbatim
from roleplay.distill.llm.client import CachedClient
from roleplay.distill.llm.costs import Meter, most_calls
from roleplay.distill.llm.endpoint import Endpoint, EndpointSettings
from roleplay.distill.llm.labelling import Book, label_book
from roleplay.distill.llm.ledger import Ledger
from roleplay.distill.llm.requests import read_prompt
from roleplay.distill.rules.script import distil_rules
from roleplay.novel.chapters import find_chapters
from roleplay.novel.chunking import chunk_chapters
from roleplay.novel.reading import read_novel
from roleplay.records import UNKNOWN, Line
from roleplay.world import World
from tests.roleplay.distill.loopback import Reply, Server, error_body, serve

_ROW = re.compile(r"^(\d+) ([QN]) (.*)$", re.M)
SHORT = "闻筝抬头说：“漏了。”\n铜婆低声说：“哟。”\n“真的？”\n"


def book_of(text: str, cast: dict[str, tuple[str, ...]], size: int = 1200) -> Book:
    chapters = find_chapters(text)
    chunks = chunk_chapters(text, chapters, max_chars=size)
    return Book(text, chunks, distil_rules(text, chapters, chunks, cast), cast)


def label(book: Book, server: Server, folder: Path, **settings: Any) -> list[Line]:
    ledger = Ledger(folder / "ledger.jsonl")
    options = {"concurrency": 8, "pause": 0.005, "attempts": 12, "timeout": 5.0, **settings}

    async def go() -> list[Line]:
        endpoint = Endpoint(EndpointSettings("m", server.url, "k", **options))
        async with CachedClient(ledger, Meter("m", {}), endpoint) as client:
            return await label_book(book, client, "m")

    return asyncio.run(go())


def asked(body: dict[str, Any]) -> list[tuple[int, str, str]]:
    """(number, Q or N, text) of the spans that a request asks about."""
    user = body["messages"][1]["content"]
    numbers = {int(n) for n in re.findall(r"\d+", user.rsplit("：", 1)[1].split("（")[0])}
    return [(int(n), kind, text) for n, kind, text in _ROW.findall(user) if int(n) in numbers]


class Gold:
    """Answers from gold lines; one speaker in ten is wrong, chosen anew for every request."""

    def __init__(self, lines: list[Line], names: list[str], wrong: float) -> None:
        self.by_text = {line.text: line for line in lines}
        self.names, self.wrong = names, wrong
        self.random = random.Random(7)

    def __call__(self, body: dict[str, Any]) -> Reply:
        rows = [row for n, _, text in asked(body) if (row := self.row(n, text))]
        return Reply(json.dumps({"labels": rows}, ensure_ascii=False))

    def row(self, n: int, text: str) -> dict[str, Any] | None:
        line = (
            self.by_text.get(text)
            or self.by_text.get(text.strip("“”‘’，。："))
            or self.by_text.get(text[1:-1])
        )
        if line is None or line.char is None:
            return None
        speaker = line.char
        if self.random.random() < self.wrong:
            speaker = self.random.choice([name for name in self.names if name != speaker])
        return {
            "n": n,
            "kind": line.kind,
            "speaker": speaker,
            "expression": line.expression,
            "confidence": 0.9,
        }


def test_the_cross_check_leaves_four_percent_wrong_at_most(tmp_path: Path) -> None:
    world = World.load(Path("worlds/chuiyan"))
    cast = {character.name: character.aliases for character in world.info.characters}
    gold = world.read_script()
    book = book_of(read_novel(world.novel()).text, cast)
    with serve(Gold(gold, list(cast), 0.1)) as server:
        lines = label(book, server, tmp_path)
    assert verify_verbatim(book.text, lines) == len(lines)
    truth = {line.span: line.char for line in gold}
    kept = [line for line in lines if line.char not in (None, UNKNOWN) and line.span in truth]
    wrong = [line for line in kept if line.char != truth[line.span]]
    quotes = [line for line in lines if line.kind in ("say", "think")]
    known = sum(line.char != UNKNOWN for line in quotes) / len(quotes)
    print(f"{len(kept)} kept, {len(wrong) / len(kept):.2%} wrong")
    print(f"{known:.1%} of {len(quotes)} quotes have a speaker")
    assert len(kept) > 700 and len(wrong) <= 0.04 * len(kept) and known > 0.8
    assert all(line.source and line.confidence is not None for line in quotes)
    assert all(line.reason for line in quotes if line.char == UNKNOWN)


def test_agreement_is_kept_and_a_third_voice_decides(tmp_path: Path) -> None:
    book = book_of(SHORT, {"闻筝": (), "铜婆": ()})

    def answer(body: dict[str, Any]) -> Reply:
        focus = "核对员" in body["messages"][0]["content"]
        first = {"漏了": ("闻筝", 0.9), "哟": ("闻筝", 0.3), "真的": ("铜婆", 0.9)}
        rows = []
        for n, kind, text in asked(body):
            if kind == "Q":
                name, sure = first[text.strip("“”。？")]
                rows.append(
                    {
                        "n": n,
                        "kind": "say",
                        "speaker": name if not focus else "闻筝",
                        "confidence": sure,
                    }
                )
        return Reply(json.dumps(rows, ensure_ascii=False))

    with serve(answer) as server:
        lines = [line for line in label(book, server, tmp_path) if line.kind == "say"]
    assert [(line.char, line.source) for line in lines] == [
        ("闻筝", "llm"),
        ("铜婆", "rules"),
        ("闻筝", "vote"),
    ]
    assert len(server.requests) == 2
    assert [line.cue for line in lines] == ["before", "before", "alternation"]


@pytest.mark.parametrize("task", ["label", "focus"])
def test_a_parrot_adds_nothing_to_the_script(tmp_path: Path, task: str) -> None:
    book = book_of(SHORT, {"闻筝": (), "铜婆": ()})
    example = read_prompt(task).partition("\n---\n")[0]
    with serve(lambda body: Reply(example)) as server:
        lines = label(book, server, tmp_path)
    assert [line.char for line in lines if line.kind == "say"] == ["闻筝", "铜婆", UNKNOWN]
    assert "示例" not in "".join(f"{line.char}{line.text}" for line in lines)


def test_a_name_that_the_chunk_does_not_hold_is_no_name(tmp_path: Path) -> None:
    book = book_of(SHORT, {"闻筝": (), "铜婆": ()})

    def answer(body: dict[str, Any]) -> Reply:
        return Reply(
            json.dumps([{"n": n, "kind": "say", "speaker": "孙悟空"} for n, _, _ in asked(body)])
        )

    with serve(answer) as server:
        lines = [line for line in label(book, server, tmp_path) if line.kind == "say"]
    assert (lines[2].char, lines[2].reason) == (UNKNOWN, "the model gave no label")


def said_by(name: str, numbers: list[int]) -> str:
    rows = [{"n": n, "kind": "say", "speaker": name, "confidence": 0.9} for n in numbers]
    return json.dumps({"labels": rows}, ensure_ascii=False)


def quotes(body: dict[str, Any]) -> list[int]:
    return [n for n, kind, _ in asked(body) if kind == "Q"]


def test_what_a_cut_answer_holds_is_kept_and_the_rest_asked_with_room(tmp_path: Path) -> None:
    book = book_of("铜婆说：“哟。”\n" * 8, {"铜婆": ()})

    def answer(body: dict[str, Any]) -> Reply:
        text = said_by("铜婆", quotes(body))
        roomy = body["max_tokens"] > 10_000
        return Reply(text) if roomy else Reply(text[: len(text) // 2], finish="length")

    with serve(answer) as server:
        lines = [line for line in label(book, server, tmp_path) if line.kind == "say"]
    assert [(line.char, line.source) for line in lines] == [("铜婆", "llm")] * 8
    assert [len(quotes(body)) for body in server.requests] == [8, 5]


@pytest.mark.parametrize("content", ["", "<think>铜婆？闻筝？", '{"n": 1, "kind": "sa'])
def test_a_chunk_without_room_for_a_label_is_asked_twice_and_left(
    tmp_path: Path, content: str
) -> None:
    book = book_of(SHORT, {"闻筝": (), "铜婆": ()})
    with serve(lambda body: Reply(content, finish="length")) as server:
        lines = [line for line in label(book, server, tmp_path) if line.kind == "say"]
    assert [line.char for line in lines] == ["闻筝", "铜婆", UNKNOWN]
    assert {line.reason for line in lines} == {"the answer was cut before this label"}
    first, second = (body["max_tokens"] for body in server.requests)
    assert second > first + 10_000


def test_a_draft_in_a_thinking_block_is_no_label(tmp_path: Path) -> None:
    book = book_of(SHORT, {"闻筝": (), "铜婆": ()})

    def answer(body: dict[str, Any]) -> Reply:
        draft = '<think>\n{"n": 2, "kind": "say", "speaker": "铜婆"} 吗？不对。\n</think>\n\n'
        return Reply(draft + said_by("闻筝", quotes(body)))

    with serve(answer) as server:
        lines = [line for line in label(book, server, tmp_path) if line.kind == "say"]
    assert (lines[0].char, lines[0].source) == ("闻筝", "llm")


PAGES = "".join(f"闻筝说：“第{n}句。”\n“是吗？”\n" for n in "一二三四")


def pages() -> Book:
    return book_of(PAGES, {"闻筝": (), "铜婆": ()}, 16)


@pytest.mark.parametrize("task", ["label", "focus"])
def test_a_refused_chunk_keeps_what_the_rules_say_and_the_rest_goes_on(
    tmp_path: Path, task: str
) -> None:
    def answer(body: dict[str, Any]) -> Reply:
        focus = "核对员" in body["messages"][0]["content"]
        if "第三句" in body["messages"][1]["content"].split("片段")[-1] and focus == (
            task == "focus"
        ):
            return Reply(status=400, body=error_body("content management policy", "content_filter"))
        return Reply(said_by("铜婆", quotes(body)))

    with serve(answer) as server:
        lines = [line for line in label(pages(), server, tmp_path) if line.kind == "say"]
        before = len(server.requests)
        assert [line for line in label(pages(), server, tmp_path) if line.kind == "say"] == lines
    assert len(server.requests) == before
    third = next(line for line in lines if line.text == "第三句。")
    assert (third.char, third.source, third.reason) == ("闻筝", "rules", "refused by the endpoint")
    assert {line.char for line in lines if line.reason is None} == {"铜婆"}
    assert {body["response_format"]["type"] for body in server.requests} == {"json_schema"}


def test_a_chunk_that_always_fails_is_left_while_others_are_answered(tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> Reply:
        if "第三句" in body["messages"][1]["content"].split("片段")[-1]:
            return Reply(status=502, body=error_body("Provider returned error"))
        return Reply(said_by("闻筝", quotes(body)), delay=0.02)

    with serve(answer) as server:
        lines = label(pages(), server, tmp_path, attempts=2)
    third = next(line for line in lines if line.text == "第三句。")
    assert (third.char, third.reason) == ("闻筝", "the endpoint failed")


@pytest.mark.parametrize("text", ["", "对不起。", "[]", said_by("孙悟空", [2, 4, 6])])
def test_no_more_calls_than_the_estimate_names(tmp_path: Path, text: str) -> None:
    book, ledger = pages(), Ledger(tmp_path / "ledger.jsonl")
    known = CachedClient(ledger, Meter("m", {}))
    asyncio.run(label_book(book, known, "m"))
    assert len(known.pending) == len(book.chunks)
    with serve(lambda body: Reply(text)) as server:
        label(book, server, tmp_path)
    assert 0 < len(server.requests) <= most_calls(known.pending.values(), 8)


class Faulty:
    """Gold behind a fault in one of five requests."""

    def __init__(self, gold: Gold) -> None:
        self.gold = gold
        self.random = random.Random(3)

    def __call__(self, body: dict[str, Any]) -> Reply:
        reply = self.gold(body)
        if self.random.random() >= 0.2:
            return reply
        text = reply.text or ""
        return self.random.choice(
            [
                Reply(status=500, body=error_body("boom")),
                Reply(status=429, body=error_body("slow"), headers={"Retry-After": "0"}),
                Reply(drop=True),
                Reply(text[: len(text) // 2], good=False),
                Reply(text[: len(text) // 2], finish="length", good=False),
                Reply(text.replace('"n": ', '"n": 77'), good=False),
                Reply("对不起。", good=False),
            ]
        )


def small_book(chunks: int) -> tuple[Book, Gold]:
    names = [f"人物{c}" for c in "甲乙丙丁"]
    text = "".join(f"{names[i % 4]}说：“这是第{i}句话。”\n" for i in range(chunks))
    book = book_of(text, dict.fromkeys(names, ()), 16)
    return book, Gold(list(book.rules), names, 0.0)


def test_five_hundred_chunks_under_faults_end_complete_and_paid_once(tmp_path: Path) -> None:
    book, gold = small_book(500)
    with serve(Faulty(gold)) as server:
        lines = label(book, server, tmp_path)
    assert len(book.chunks) >= 500
    said = [line for line in lines if line.kind == "say"]
    assert len(said) == 500 and all(line.char != UNKNOWN for line in said)
    assert set(server.paid.values()) == {1}
    before = len(server.requests)
    with serve(gold) as again:
        assert label(book, again, tmp_path) == lines
    assert again.requests == [] and before > 500


def odd_replies(good: str) -> list[Reply]:
    """What a gateway may send in place of an answer, and answers with something odd about them."""

    def body(message: Any, finish: Any = "stop", **more: Any) -> Reply:
        choices = [{"index": 0, "finish_reason": finish, "message": message}]
        return Reply(body=json.dumps({"choices": choices, **more}))

    errors = [Reply(status=status, body=error_body("x")) for status in (400, 403, 409, 422, 500)]
    bodies = ["", "null", "[]", "{}", "7", "<html>busy</html>", '{"choices": 7}', "{" * 500, "\x00"]
    contents: list[Any] = [None, 7, [], {}, [None, 7, {"text": good}], {"labels": [{"n": 1}]}]
    texts = [
        good.replace("铜婆", r"O\'Brien"),
        good.replace("铜婆", r"\ud83d"),
        good.replace('"n": ', '"n": 9' + "9" * 5000),
        good.replace("0.9", "1e999999"),
        good.replace('"speaker"', '"\ud83dspeaker"'),
        good.replace("}", "," + '"x": ' + "[" * 300 + "]" * 300 + "}"),
        "<think>" + good,
        "```json\n" + good,
    ]
    odd = [Reply(status=429, body="", headers={"Retry-After": "0"}), Reply(drop=True)]
    odd += [Reply(body=text) for text in bodies] + [Reply(text) for text in texts] + errors
    odd += [body({"role": "assistant", "content": content}) for content in contents]
    odd += [body({"content": good}, finish, usage=[finish]) for finish in (None, 7, [], "\ud83d")]
    odd += [body({"content": good}, usage={"prompt_tokens": 10**40, "completion_tokens": "x"})]
    return [*odd, body(None), body("x"), body([{"content": good}]), body({"refusal": ["no"]})]


@pytest.mark.parametrize("seed", range(4))
def test_a_gateway_gone_mad_stops_nothing(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    book, good = pages(), Reply(said_by("铜婆", [2, 4, 6]))

    def answer(body: dict[str, Any]) -> Reply:
        text = said_by("铜婆", quotes(body))
        return Reply(text) if chosen.random() < 0.3 else chosen.choice(odd_replies(text))

    with serve(lambda body: good) as server:
        label(pages(), server, tmp_path / "first")  # so that the endpoint is known
    (tmp_path / "mad").mkdir()
    ledger = (tmp_path / "first" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()[0]
    (tmp_path / "mad" / "ledger.jsonl").write_text(f"{ledger}\n", encoding="utf-8")
    with serve(answer) as server:
        lines = label(book, server, tmp_path / "mad", attempts=30, pause=0.001)
        assert label(book, server, tmp_path / "mad", attempts=30, pause=0.001) is not None
    assert [line.text for line in lines] == [line.text for line in book.rules]
    assert all(line.reason for line in lines if line.char == UNKNOWN)
