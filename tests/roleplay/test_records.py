"""Records: what a line may be, and its JSON form old and new."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from roleplay.errors import FormError, reason
from roleplay.records import EXPRESSIONS, Example, Interview, Line

TEXTS = st.text(min_size=1, max_size=9).filter(str.strip)
SHARED = {
    "src_id": st.none() | st.integers(0, 99),
    "span": st.none() | st.tuples(st.integers(0, 9), st.integers(10, 99)),
    "cue": st.none() | st.just("before"),
}
SPOKEN = st.builds(
    Line,
    kind=st.sampled_from(["say", "act", "think"]),
    char=TEXTS,
    text=TEXTS,
    expression=st.none() | st.sampled_from(EXPRESSIONS),
    **SHARED,
)


@given(SPOKEN | st.builds(Line, kind=st.just("info"), text=TEXTS, **SHARED))
def test_json_round_trip(line: Line) -> None:
    assert Line.from_json(line.to_json()) == [line]


def test_the_kind_is_the_key_of_the_text() -> None:
    line = Line(
        kind="say", char="闻筝", text=" 没得商量。 ", expression="专注", src_id=0, span=(52, 57)
    )
    row = {"char": "闻筝", "say": "没得商量。", "expression": "专注", "src_id": 0, "span": [52, 57]}
    assert line.to_json() == row


def test_merged_keys_become_lines_and_the_expression_goes_to_the_speech() -> None:
    row = {
        "char": "夏娜",
        "say": "扫兴。",
        "act": "旋过身",
        "think": "来了",
        "expression": "微怒",
        "src_id": 7,
    }
    lines = Line.from_json(row)
    assert [(line.kind, line.text, line.expression) for line in lines] == [
        ("act", "旋过身", None),
        ("say", "扫兴。", "微怒"),
        ("think", "来了", None),
    ]
    assert {(line.char, line.src_id) for line in lines} == {("夏娜", 7)}


def test_narration_beside_speech_has_no_speaker() -> None:
    info, said = Line.from_json(
        {"info": "雨停了", "char": "闻筝", "say": "漏了。", "expression": "微笑"}
    )
    assert (info.char, info.expression, said.char) == (None, None, "闻筝")


def test_null_and_empty_fields_are_as_absent() -> None:
    row = {
        "char": None,
        "say": "谁？",
        "act": None,
        "think": "",
        "info": None,
        "expression": "",
        "span": None,
    }
    assert Line.from_json(row) == [Line(kind="say", char="unknown", text="谁？")]


@pytest.mark.parametrize("row", [{}, {"char": "闻筝"}, {"say": "", "char": "闻筝"}, [1], "漏了"])
def test_an_item_without_a_text_is_refused(row: Any) -> None:
    with pytest.raises(FormError, match="no info, say, act or think with a text in"):
        Line.from_json(row)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ({"expression": "生气"}, "unknown expression '生气': known are 平静 专注"),
        ({"span": [3]}, "span.1: is missing"),
        ({"src_id": "七"}, "src_id: '七' is no number"),
    ],
)
def test_a_field_out_of_range_is_one_line(field: dict[str, object], reason: str) -> None:
    with pytest.raises(FormError, match=reason) as caught:
        Line.from_json({"char": "闻筝", "say": "哼"} | field)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "say", "char": "闻筝", "text": " 　"}, "a script line needs a text"),
        (
            {"kind": "say", "text": "漏了。"},
            "narration has no speaker and the other kinds have one: say None",
        ),
        ({"kind": "info", "char": "闻筝", "text": "雨停了"}, "narration has no speaker"),
        ({"kind": "act", "char": " ", "text": "转身"}, "a speaker needs a name"),
        (
            {"kind": "say", "char": "闻筝", "text": "哼", "expression": "生气"},
            "unknown expression '生气': known are 平静",
        ),
        ({"kind": "info", "text": "雨停了", "expression": "微笑"}, "narration has no expression"),
        (
            {"kind": "say", "char": "闻筝", "text": "哼", "mood": "x"},
            "Extra inputs are not permitted",
        ),
    ],
)
def test_a_wrong_line_is_refused(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Line(**fields)


def test_what_is_wrong_with_a_line_is_told_in_chinese_as_well() -> None:
    with pytest.raises(FormError) as caught:
        Line.from_json({"char": "闻筝", "say": "哼", "expression": "生气"})
    assert caught.value.text("zh").startswith("没有“生气”这个表情，可用的是 平静 专注")
    with pytest.raises(ValidationError) as refused:
        Line(kind="act", char=" ", text="转身")
    assert reason(refused.value).text("zh") == "说话人要有名字"


def test_a_task_may_have_its_old_name() -> None:
    row = {"prompt": "问：几岁？", "response": "十六。", "character": "闻筝", "task": "reading"}
    assert Example.model_validate(row).task == "context_qa"
    with pytest.raises(ValidationError):
        Example.model_validate(row | {"task": ["reading"]})


def test_a_record_does_not_change() -> None:
    interview = Interview(
        id="i1", character="闻筝", question=" 你最爱吃什么？", answer="椒盐豆糕。 "
    )
    assert (interview.question, interview.answer) == ("你最爱吃什么？", "椒盐豆糕。")
    with pytest.raises(ValidationError, match="frozen"):
        interview.answer = "别的"


def test_where_a_speaker_comes_from_is_kept() -> None:
    row = {
        "char": "unknown",
        "say": "漏了。",
        "source": "rules",
        "confidence": 0.4,
        "reason": "two persons speak",
    }
    (line,) = Line.from_json(row)
    assert (line.source, line.confidence, line.reason) == ("rules", 0.4, "two persons speak")
    assert line.to_json() == row
