"""The ledger: nothing is paid for twice, whatever happened to the file's end."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from roleplay.distill.llm.ledger import Entry, Ledger
from roleplay.distill.llm.requests import LLMRequest
from roleplay.errors import ModelError


def entry(key: str, text: str = "[]") -> Entry:
    return Entry(
        key=key,
        task="label",
        model="m",
        text=text,
        finish="stop",
        prompt_tokens=9,
        completion_tokens=1,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.put(entry("a"))
    ledger.put(entry("b", "雨\n铃"))
    return ledger.path


def test_an_answer_is_found_in_the_next_run(path: Path) -> None:
    assert Ledger(path).get("b") == entry("b", "雨\n铃")
    assert Ledger(path).get("c") is None


def test_the_first_answer_is_kept(path: Path) -> None:
    Ledger(path).put(entry("a", "another"))
    assert Ledger(path).get("a") == entry("a")
    assert len(path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_half_written_last_line_is_taken_off(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    ledger = Ledger(path)
    assert [item.key for item in ledger] == ["a"]
    ledger.put(entry("c"))
    assert [item.key for item in Ledger(path)] == ["a", "c"]


def test_a_broken_line_in_the_middle_is_passed_over(path: Path) -> None:
    path.write_bytes(b'{"key": "x", "te\n' + path.read_bytes())
    assert len(Ledger(path)) == 2


@pytest.mark.parametrize(
    "line",
    [
        b'{"key": "x", "te',
        b"\xff\xfe\x00",
        b"[" * 50_000,
        b'{"key": "x", "task": "label", "model": "m", "text": "\\ud83d", "finish": "stop"}',
        b'{"key": 7, "task": null}',
        b'{"prompt_tokens": ' + b"9" * 9000 + b"}",
        b"null",
        b"",
    ],
)
def test_a_line_that_cannot_be_read_stops_nothing(path: Path, line: bytes) -> None:
    path.write_bytes(line + b"\n" + path.read_bytes())
    assert [item.key for item in Ledger(path)][-2:] == ["a", "b"]


def test_a_ledger_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot be read \(is a folder\)|cannot be read"):
        Ledger(tmp_path)


def test_half_an_emoji_is_kept_as_a_mark(path: Path) -> None:
    Ledger(path).put(entry("c", "好\ud83d"))
    assert Ledger(path).get("c") == entry("c", "好\ufffd")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """The kernel lets no file of this process grow past ``size`` bytes, as a full disk would."""
    before, handler = (
        resource.getrlimit(resource.RLIMIT_FSIZE),
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_keeps_what_was_paid_for(path: Path) -> None:
    ledger = Ledger(path)
    told = r"cannot write .*: 2 paid answers in it are kept; make room"
    with pytest.raises(ModelError, match=told), full_disk(path.stat().st_size + 20):
        ledger.put(entry("c", "长" * 100))
    assert path.read_bytes().endswith(b"}\n")
    assert [item.key for item in Ledger(path)] == ["a", "b"]


def test_the_key_knows_the_question_and_its_settings() -> None:
    one = LLMRequest("label", "m", ({"role": "user", "content": "谁？"},), {}, 1)
    changes = ({}, {"task": "focus"}, {"model": "m2"}, {"messages": ()}, {"expected_tokens": 2})
    assert len({replace(one, **change).key for change in changes}) == 5
    assert replace(one, schema={"type": "object"}).key == one.key
