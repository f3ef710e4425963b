"""Distilling with a model by its script, against a real server on loopback."""

import json
import random
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from roleplay.distill.batches import URL
from roleplay.files import read_jsonl, write_jsonl
from roleplay.world import World
from scripts import review_speakers
from scripts.distill_dialogues import main
from tests import children
from tests.roleplay.distill.loopback import Answer, Reply, Server, completion, error_body, serve
from tests.roleplay.distill.test_distill_labelling import asked, small_book

NOVEL = "第一章 雨\n闻筝说：“漏了。”\n铜婆说：“哟。”\n" * 5
SLOW = 0.02


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    novel = tmp_path / "雨.txt"
    novel.write_text(NOVEL, encoding="utf-8")
    assert main(["--world", str(tmp_path / "mine"), "--novel", str(novel)]) == 0
    return tmp_path / "mine"


def labels(body: dict[str, object]) -> Reply:
    """Every quote is said by 铜婆, happily."""
    rows = [
        {"n": n, "kind": "say", "speaker": "铜婆", "expression": "微笑", "confidence": 0.9}
        for n, kind, _ in asked(body)
        if kind == "Q"
    ]
    return Reply(json.dumps({"labels": rows}, ensure_ascii=False))


def distil(world: Path, server: Server, *more: str) -> int:
    return main(["--world", str(world), "--backend", server.url, "--model", "gpt-4o-mini", *more])


def test_a_script_is_made_and_then_skipped(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(labels) as server:
        assert distil(world, server) == 0
        told = capsys.readouterr().out
        assert "5 calls, about" in told and "about $0.00; 0 of 5 are answered already" in told
        assert "paid     6 calls" in told
        assert distil(world, server) == 0
    assert "nothing changed" in capsys.readouterr().out and len(server.requests) == 6
    lines = World.load(world).read_script()
    assert [line.char for line in lines if line.kind == "say"] == ["铜婆"] * 10
    assert {line.source for line in lines} == {"llm", "vote"}
    assert all(
        "sk-secret" not in path.read_text(encoding="utf-8")
        for path in world.iterdir()
        if path.is_file()
    )


def test_a_dry_run_asks_nothing(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(labels) as server:
        assert distil(world, server, "--dry-run") == 0
    assert "asks     5 calls" in capsys.readouterr().out
    assert server.requests == [] and not (world / "ledger.jsonl").exists()


def test_a_limit_goes_on_next_time(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(labels) as server:
        assert distil(world, server, "--limit", "3") == 0
        assert len(server.requests) == 3
        assert "requests were not asked: run again" in capsys.readouterr().out
        assert distil(world, server) == 0
    assert len(server.requests) == 6


def test_the_cost_limit_keeps_what_was_paid_for(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(labels) as server:
        assert distil(world, server, "--max-cost", "0.0004", "--concurrency", "1") == 2
        assert "stopped before passing --max-cost 0.0004" in capsys.readouterr().err
        before = len(server.requests)
        assert distil(world, server) == 0
    assert 1 <= before < 6 and len(server.requests) == 6


def only(text: str, finish: str = "stop") -> Answer:
    return lambda body: Reply(text, finish=finish)


@pytest.mark.parametrize(
    "answer", [only("", "length"), only("对不起，我不能。"), only('{"labels": []}')]
)
def test_a_run_without_one_label_says_so_and_fails_every_time(
    world: Path, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(answer) as server:
        for _ in range(2):
            assert distil(world, server) == 2
            told = capsys.readouterr()
            assert "answers  script: 0 of use" in told.out
            assert (
                told.err.strip()
                .splitlines()[-1]
                .startswith(
                    "error: no answer of 'gpt-4o-mini' held anything that could be read (script)"
                )
            )
            before = len(server.requests)
        assert len(server.requests) == before
    spoken = [line for line in World.load(world).read_script() if line.kind == "say"]
    assert all(line.reason for line in spoken) and len(spoken) == 10


def test_the_estimate_names_the_most_calls(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(only("[]")) as server:
        distil(world, server)
    told = re.search(r"at most (\d+) calls .* each tried up to 8 times", capsys.readouterr().out)
    assert told and len(server.requests) <= int(told[1]) == 5 * 4 + 5


def test_doubtful_lines_of_a_killed_run_are_in_the_estimate(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(labels) as server:
        assert distil(world, server, "--limit", "5") == 0
        capsys.readouterr()
        assert distil(world, server, "--dry-run") == 0
    told = capsys.readouterr().out
    assert "asks     1 calls" in told and "5 of 6 are answered already; at most 3 calls" in told


def test_a_refused_chunk_stops_nothing(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    novel = (world / "novel.txt").read_text(encoding="utf-8").replace("哟。", "你父亲呢？", 1)
    (world / "novel.txt").write_text(novel, encoding="utf-8")

    def answer(body: dict[str, Any]) -> Reply:
        refused = "你父亲" in body["messages"][1]["content"].split("片段")[-1]
        message = error_body("content management policy", "content_filter")
        return Reply(status=400, body=message) if refused else labels(body)

    with serve(answer) as server:
        # The first chunk is refused before any other was answered: it is asked once more.
        assert distil(world, server) == 0 and distil(world, server) == 0
        before = len(server.requests)
        assert distil(world, server) == 0 and len(server.requests) == before
    assert "refused by the endpoint" in capsys.readouterr().out
    lines = [line for line in World.load(world).read_script() if line.kind == "say"]
    refused = [line for line in lines if line.reason == "refused by the endpoint"]
    assert len(refused) == 2 and {line.source for line in refused} == {"rules"}
    assert {line.char for line in lines if line not in refused} == {"铜婆"}


def test_an_empty_account_keeps_all_and_goes_on_later(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    money = [3]

    def answer(body: dict[str, Any]) -> Reply:
        money[0] -= 1
        broke = Reply(status=402, body=error_body("Insufficient Balance", "invalid_request_error"))
        return labels(body) if money[0] >= 0 else broke

    with serve(answer) as server:
        assert distil(world, server) == 2
        assert 'says "Insufficient Balance": the account is empty (402)' in capsys.readouterr().err
        money[0] = 99
        assert distil(world, server) == 0
    assert sum(server.paid.values()) == 6


def test_a_ledger_of_rubbish_stops_nothing(world: Path) -> None:
    (world / "ledger.jsonl").write_bytes(b'\xff\xfe\n{"key": [\n' + b"[" * 90_000 + b"\nnull\n{")
    with serve(labels) as server:
        assert distil(world, server) == 0
    assert len(server.requests) == 6


def test_a_ledger_that_is_a_folder_is_one_line(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "ledger.jsonl").mkdir()
    with serve(labels) as server:
        assert distil(world, server) == 2
    assert "ledger.jsonl cannot be read" in capsys.readouterr().err and server.requests == []


def test_a_key_in_full_width_letters_is_one_line(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-密钥")
    assert main(["--world", str(world), "--backend", "openai", "--model", "gpt-4o-mini"]) == 2
    assert "OPENAI_API_KEY holds a character that no key has" in capsys.readouterr().err


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:9", "http://127.0.0.1:9"])
def test_a_local_endpoint_is_reached_whatever_the_proxies_are(world: Path, proxy: str) -> None:
    with serve(labels) as server:
        flags = ["--world", str(world), "--backend", server.url, "--model", "m"]
        odd = {"http_proxy": proxy, "all_proxy": proxy, "https_proxy": proxy}
        environment = children.environment(**odd)
        ended = subprocess.run(
            children.command("distill_dialogues", *flags), capture_output=True, env=environment
        )
    assert ended.returncode == 0 and len(server.requests) == 6


def test_a_batch_goes_out_and_comes_back_partly_failed(world: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "requests.jsonl", tmp_path / "results.jsonl"
    before = (world / "script.jsonl").read_bytes()
    with serve(labels) as server:
        assert distil(world, server, "--batch-out", str(out)) == 0
        assert server.requests == [] and (world / "script.jsonl").read_bytes() == before
        rows = list(read_jsonl(out))
        assert [row["url"] for row in rows] == [URL] * 5
        answers = [
            {
                "custom_id": row["custom_id"],
                "response": {
                    "status_code": 200,
                    "body": json.loads(completion(labels(row["body"]).text or "")),
                },
            }
            for row in reversed(rows)
        ]
        answers[2]["response"] = {"status_code": 500, "body": {"error": "boom"}}
        write_jsonl(back, answers)
        assert distil(world, server, "--batch-in", str(back)) == 0
    assert len(server.requests) == 1 + 1
    assert [line.char for line in World.load(world).read_script() if line.kind == "say"] == [
        "铜婆"
    ] * 10


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(status=401, body=error_body("bad")), "refused the key (401): check OPENAI_API_KEY"),
        (
            Reply(status=404, body="<html>no</html>"),
            "(404): check the address (it often ends in /v1) and --model",
        ),
    ],
)
def test_one_clear_line(
    world: Path, reply: Reply, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(lambda body: reply) as server:
        assert distil(world, server) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: http://127.0.0.1:") and error.endswith(told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--backend", "openai"], "needs --model"),
        (["--tasks", "summaries"], "the rules cannot make summaries: name an endpoint"),
        (["--backend", "http://x", "--model", "x", "--max-cost", "1"], "'x' has none: add it to"),
        (
            ["--backend", "http://127.0.0.1:9/v1", "--model", "x"],
            "cannot be reached: check OPENAI_BASE_URL",
        ),
    ],
)
def test_bad_options(
    world: Path, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--world", str(world), *options]) == 2
    assert told in capsys.readouterr().err


def test_no_key(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert main(["--world", str(world), "--backend", "openai", "--model", "gpt-4o-mini"]) == 2
    assert "no API key for https://api.openai.com/v1: set OPENAI_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "told"), [(b"", "has no text (0 bytes)"), (b"%PDF-1.7 x", "PDF: convert it")]
)
def test_a_file_that_is_no_novel(
    tmp_path: Path, data: bytes, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.txt").write_bytes(data)
    flags = ["--world", str(tmp_path / "w"), "--novel", str(tmp_path / "x.txt")]
    assert main([*flags, "--backend", "openai", "--model", "m"]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "w").exists()


def test_a_persons_answer_survives_every_run(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = world / "script.jsonl"
    number = next(
        i for i, line in enumerate(World.load(world).read_script(), 1) if line.text == "漏了。"
    )
    assert review_speakers.main(["--world", str(world), "--answer", str(number), "咕噜"]) == 0
    for _ in range(2):
        with serve(labels) as server:
            assert distil(world, server, "--force") == 0
        first = World.load(world).read_script()[number - 1]
        assert (first.char, first.source, first.confidence) == ("咕噜", "person", 1.0)
        script.unlink()
    assert main(["--world", str(world)]) == 0
    assert World.load(world).read_script()[number - 1].char == "咕噜"


def many(world: Path, url: str) -> list[str]:
    """The flags of a run with many small requests."""
    flags = ["--world", str(world), "--backend", url, "--model", "m"]
    return [*flags, "--max-chars", "16", "--concurrency", "4"]


def make(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "novel.txt").write_text(text, encoding="utf-8")
    (path / "world.json").write_text(
        json.dumps(
            {"format": 1, "title": "x", "characters": [{"name": f"人物{c}"} for c in "甲乙丙丁"]}
        ),
        encoding="utf-8",
    )
    return path


def test_killed_at_any_moment_it_makes_the_same_script(tmp_path: Path) -> None:
    book, gold = small_book(60)
    whole, killed = make(tmp_path / "whole", book.text), make(tmp_path / "killed", book.text)
    with serve(lambda body: Reply(gold(body).text, delay=SLOW)) as server:
        assert main(many(whole, server.url)) == 0
        answered = len(server.requests)
        process = subprocess.Popen(
            children.command("distill_dialogues", *many(killed, server.url)),
            stdout=subprocess.DEVNULL,
            env=children.environment(),
        )
        stop = answered + random.Random().randint(1, answered - 4)
        while len(server.requests) < stop and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
        assert not (killed / "script.jsonl").exists()
        assert main(many(killed, server.url)) == 0
        assert len(server.requests) <= 2 * answered + 4
    assert (killed / "script.jsonl").read_bytes() == (whole / "script.jsonl").read_bytes()


def test_a_full_disk_keeps_what_was_paid_for(world: Path) -> None:
    with serve(labels) as server:
        flags = ["--world", str(world), "--backend", server.url, "--model", "m"]
        flags += ["--concurrency", "1"]
        ended = subprocess.run(
            children.command("distill_dialogues", *flags, disk=900),
            capture_output=True,
            text=True,
            env=children.environment(),
        )
        assert ended.returncode == 2
        assert "paid answers in it are kept; make room" in ended.stderr.splitlines()[-1]
        kept = len((world / "ledger.jsonl").read_bytes().splitlines())
        asked_before = len(server.requests)
        assert main(flags) == 0
    assert kept >= 1 and len(server.requests) == 6 + asked_before - kept


@pytest.mark.heavy
def test_fifty_megabytes_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = make(tmp_path / "big", "人物甲说：“这是一句话。”他走了，雨还在下。" * 850_000)
    flags = ["--world", str(world), "--backend", "http://127.0.0.1:9/v1", "--model", "m"]
    assert (world / "novel.txt").stat().st_size > 50_000_000
    assert main([*flags, "--dry-run"]) == 0
    assert "calls, about" in capsys.readouterr().out
