"""What can be told of a reply without reading it: voice, templates, others' catchphrases, copies."""

from __future__ import annotations

import pytest

from roleplay.sense import Sense, VoiceJudge, letters

LINES = {
    "闻筝": [f"第{n}根管子又漏了，没得商量。" for n in range(9)]
    + ["你先把扳手递给我，别站在梯子底下。"],
    "陆迟": [f"不好意思，我抄到第{n}页，可以吗？" for n in range(9)],
}
SENSE = Sense.of(LINES, {"闻筝": ("闻筝", "小筝"), "陆迟": ("陆迟",)})


def test_the_judge_knows_a_voice_by_its_runs_of_characters() -> None:
    judge = VoiceJudge(LINES)
    assert judge.choose("水管漏了，没得商量。") == "闻筝"
    assert judge.choose("不好意思，我抄完了。") == "陆迟"
    assert judge.choose("水管漏了，没得商量。", ["陆迟"]) == "陆迟"
    assert VoiceJudge({}).choose("谁？") == ""


def test_catchphrases_are_what_one_says_often_and_the_others_do_not() -> None:
    assert "没得商量" in SENSE.catchphrases["闻筝"]
    assert "不好意思" in SENSE.catchphrases["陆迟"]


@pytest.mark.parametrize(
    ("question", "reply", "faults"),
    [
        ("你怎么又哭了？", "我是小筝。", ("template",)),
        ("你是谁？", "我是小筝。", ()),
        ("你怎么又哭了？", "我是陆迟。", ("template",)),
        ("你怎么又哭了？", "我的名字就是梯子。", ("template",)),
        ("你怎么又哭了？", "我叫陆迟去送信，他又迟到。", ()),
        ("你怎么又哭了？", "我的名字写在伞上呢。", ()),
        ("月钱发了没有？", "没听说过。", ("template",)),
        ("下雨了。", "不好意思，门没关。", ("foreign",)),
        ("下雨了。", "下雨了。", ("echo",)),
        ("下雨了。", "……", ("empty",)),
        ("下雨了。", r"\me 抬头看天", ()),
        ("帮个忙。", "你先把扳手递给我，别站在梯子底下。", ("copy",)),
        ("帮个忙。", "行，等我把这圈拧完。", ()),
    ],
)
def test_faults(question: str, reply: str, faults: tuple[str, ...]) -> None:
    assert SENSE.faults("闻筝", question, reply) == faults


def test_the_longest_copy_is_counted_in_letters() -> None:
    assert SENSE.longest_copy("嗯，你先把扳手递给我，别站在梯子底下。") == 15
    assert SENSE.longest_copy("你先把扳手给我") == 0


def test_marks_are_not_said() -> None:
    assert letters(r"好。 \emoji 微笑") == "好"
