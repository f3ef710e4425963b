"""scripts/evaluate_retrieval.py with the bundled embedder: files, and the example world's must."""

import inspect
import json
from pathlib import Path

import pytest

from kb.retrieval import MIN_SCORE
from roleplay.dialogue import CharacterAgent
from roleplay.stages import retrieval
from roleplay.stages.progress import Event
from scripts import evaluate_retrieval

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [
    "闻筝最爱吃街角铺子的椒盐豆糕。",
    "陆迟的伞丢在缆斗上了。",
    "钟楼的第三口钟裂了一道缝。",
    "水务司每月初一收水筹。",
]
ASKED = [
    ("闻筝爱吃什么？", ["0"], []),
    ("陆迟的伞丢在哪里？", None, ["缆斗"]),
    ("哪口钟裂了？", [], ["第三口"]),
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments for a small set; the cache is the test's own."""
    monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path / "cache"))
    passages = [{"id": f"{place}", "text": text} for place, text in enumerate(TEXTS)]
    questions = [
        {"question": text, "gold": gold, "answers": answers} for text, gold, answers in ASKED
    ]
    arguments = []
    for name, rows in (("passages", passages), ("questions", questions)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
        arguments += [f"--{name}", str(path)]
    return arguments


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    report: dict[str, float] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return report


def test_the_last_line_is_the_report(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate_retrieval.main(files) == 0
    report = last_line(capsys)
    assert list(report) == ["n", "recall@1", "recall@3", "recall@5", "recall@10", "queries_per_s"]
    assert (report["n"], report["recall@1"], report["recall@10"]) == (3, 1, 1)


def test_a_wrong_gold_costs_recall(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(files[3])
    path.write_text(path.read_text(encoding="utf-8").replace('["0"]', '["3"]'), encoding="utf-8")
    assert evaluate_retrieval.main(files) == 0
    assert last_line(capsys)["recall@1"] == pytest.approx(2 / 3, abs=1e-5)


def test_without_gold_the_passages_with_an_answer_are_right() -> None:
    passages = [retrieval.Passage(id=7, text="豆糕"), retrieval.Passage(id="b", text="豆糕铺")]
    asking = retrieval.Asking(question="吃什么", answers=("豆糕", ""), gold=())
    assert asking.right_among(passages) == {"7", "b"}
    assert asking.model_copy(update={"gold": ("b",)}).right_among(passages) == {"b"}


@pytest.mark.parametrize(
    ("place", "text", "fault"),
    [
        (1, '{"id": "a"}', "row 1: text"),
        (1, '{"id": "a", "text": "塔"}\n{"id": "a", "text": "河"}', "two passages have the id 'a'"),
        (1, "", "has no row"),
        (3, '{"question": "哪里"}', "the question '哪里' has neither answers"),
        (3, '{"question": "哪里", "gold": ["z"]}', "the question '哪里' has neither answers"),
        (3, "{", "not JSON at line 1"),
    ],
)
def test_a_bad_row_is_one_line(
    files: list[str], capsys: pytest.CaptureFixture[str], place: int, text: str, fault: str
) -> None:
    Path(files[place]).write_text(text, encoding="utf-8")
    assert evaluate_retrieval.main(files) == 2
    error = capsys.readouterr().err
    assert fault in error and error.count("\n") == 1


def test_a_second_run_embeds_no_passage(files: list[str]) -> None:
    settings = retrieval.Settings(passages=Path(files[1]), questions=Path(files[3]))
    for embedded in ([4], []):
        told: list[Event] = []
        retrieval.run(settings, told.append)
        steps = [event for event in told if event.message.key == "knowledge.embedding"]
        assert [event.done for event in steps if event.done == event.total] == embedded


def test_nothing_is_written_beside_the_users_files(files: list[str], tmp_path: Path) -> None:
    evaluate_retrieval.main(files)
    assert {path.name for path in tmp_path.iterdir()} == {
        "cache",
        "passages.jsonl",
        "questions.jsonl",
    }


def test_keyword_alone_is_shown_for_comparison(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate_retrieval.main(files)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:3]] == [
        "method",
        "keyword",
        "fused",
    ]


def test_files_and_a_world_together_are_refused(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate_retrieval.main([*files, "--world", "worlds/chuiyan"]) == 2
    assert "give --passages with --questions, or --world alone" in capsys.readouterr().err


def test_the_example_worlds_questions_are_answered_among_three(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert evaluate_retrieval.main(["--world", str(ROOT / "worlds" / "chuiyan")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1])["recall@3"] >= 0.95
    at_the_default = next(line.split() for line in lines if line.strip().startswith("0.20 "))
    kept, found = (float(share.rstrip("%")) for share in at_the_default[1:])
    assert kept >= 90 and found <= 20


def test_the_agent_uses_the_threshold_that_is_measured() -> None:
    assert inspect.signature(CharacterAgent).parameters["min_score"].default == MIN_SCORE
