"""A whole agent put to the test, on a tiny model: how many outcomes of each kind, and of what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny

from roleplay.backends.local import LocalBackend
from roleplay.background import Snippet
from roleplay.dialogue import CharacterAgent
from roleplay.errors import UsageError
from roleplay.evaluation.measures import EvalSet, EvalSizes, measure, summary
from roleplay.records import Line, Question
from roleplay.sampling import SamplingParams

NAMES = ("阿灯", "小舟")
LINES = [Line(kind="say", char=NAMES[n % 2], text=f"第{n}句话，船来了。") for n in range(20)]
EVAL_SET = EvalSet(
    chapters=[LINES],
    aliases={"阿灯": ("阿灯", "灯"), "小舟": ("小舟",)},
    identity=["你是谁？", "你叫什么？", "说一下你的名字。"],
    unknown=["你用什么牌子的手机？"] * 3,
    small_talk=["早上好。", "你好笨啊。"],
    questions=[
        Question(id=f"q{n}", character=name, question=f"第{n}题？", expected=("灯",), source="wiki")
        for n in range(3)
        for name in NAMES
    ],
    sounds_generated=lambda text: False,
)
SIZES = EvalSizes(roles=5, probes=2, questions=2, scenes=4, candidates=2)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> CharacterAgent:
    folder: Path = tmp_path_factory.mktemp("models") / "llama"
    backend = LocalBackend.load(str(tiny.save(tiny.llama(), folder)))

    def retriever(query: str, k: int, **_: Any) -> list[Snippet]:
        return [Snippet(f"有关{query[-4:]}。", 0.9)][:k]

    return CharacterAgent(backend, characters=NAMES, retriever=retriever)


def test_every_kind_is_measured_as_often_as_asked(agent: CharacterAgent) -> None:
    found = measure(agent, EVAL_SET, NAMES, SIZES)
    assert sum(len(part.right["role"]) for part in found.values()) == 5
    for part in found.values():
        counts = {kind: len(right) for kind, right in part.right.items() if kind != "role"}
        assert counts == {
            "identity": 2, "facts": 2, "facts_without": 2, "small_talk": 2, "form": 4,
        }  # fmt: skip
        assert [row["right"] for row in part.answers if row["kind"] == "unknown"] == [""]
        assert len(part.replies) == 4
    figures = summary(found, NAMES, EVAL_SET)
    assert figures["assistant_isms"] == 0 and figures["identity"] is not None


def test_an_answer_is_the_greedy_one_of_its_own_prompt(agent: CharacterAgent) -> None:
    found = measure(agent, EVAL_SET, ["小舟"], SIZES)
    params = SamplingParams.checked(temperature=0, max_new_tokens=40)
    for kind, background in (("facts", True), ("facts_without", False)):
        rows = [row for row in found["小舟"].answers if row["kind"] == kind]
        for row in rows:
            *_, reply = agent.ask(
                "小舟", row["question"], n=1, params=params, background=background
            )
            assert reply.candidates == (row["answer"],)


def test_what_was_not_measured_has_no_share(agent: CharacterAgent) -> None:
    none = EvalSizes(roles=1, probes=0, scenes=0)
    found = measure(agent, EVAL_SET, ["阿灯"], none)
    figures = summary(found, ["阿灯"], EVAL_SET)
    assert figures["identity"] is figures["form"] is figures["small_talk"] is None
    assert len(found["阿灯"].right["facts"]) == 3


@pytest.mark.parametrize("name", ["roles", "candidates"])
def test_sizes_have_bounds(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} must be at least 1, not 0"):
        EvalSizes(**{name: 0})
