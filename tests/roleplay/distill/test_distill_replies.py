"""Every kind of broken reply that models really sent: read where it is plain, else asked again."""

from __future__ import annotations

import pytest

from roleplay.distill.llm.replies import read_labels, read_objects

ONE = '{"n": 1, "kind": "say", "speaker": "闻筝", "expression": "微怒", "confidence": 0.9}'
TWO = '{"n": 2, "kind": "act", "speaker": "铜婆"}'


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        ("none", f"[{ONE}, {TWO}]"),
        ("wrapped", f'{{"labels": [{ONE}, {TWO}]}}'),
        ("no comma between objects", f"[{ONE}\n{TWO}]"),
        ("no comma between pairs", f"[{ONE.replace(', ', ' ')}, {TWO.replace(', ', chr(10))}]"),
        ("bare objects", f"{ONE}\n{TWO}"),
        ("bare objects with commas", f"{ONE},\n{TWO},"),
        (
            "text around the list",
            f"好的，结果如下：\n[{ONE}, {TWO}]\n以上就是全部标注，[1] 请查收。",
        ),
        ("code fence", f"```json\n[{ONE}, {TWO}]\n```"),
        ("trailing commas", f"[{ONE.replace('}', ',}')}, {TWO.replace('}', ', }')},]"),
        (
            "full-width marks",
            f"［{ONE}，{TWO}］".replace(", ", "，").replace(": ", "：").replace("{", "｛"),
        ),
        (
            "full-width quotes",
            "[{“n”：1，“kind”：“say”，“speaker”：“闻筝”}，{“n”：2，“kind”：“act”，“speaker”：“铜婆”}]",
        ),
        ("numbers as strings", f"[{ONE}, {TWO}]".replace("1,", '"1",').replace("2,", '"２",')),
        ("single quotes", f"[{ONE}, {TWO}]".replace('"', "'")),
        ("the same twice", f"[{ONE}, {ONE}, {TWO}]"),
    ],
)
def test_a_plain_fault_costs_nothing(fault: str, reply: str) -> None:
    labels = read_labels(reply, {1, 2}).labels
    assert {n: (label.kind, label.speaker) for n, label in labels.items()} == {
        1: ("say", "闻筝"),
        2: ("act", "铜婆"),
    }


@pytest.mark.parametrize(
    ("fault", "reply", "told"),
    [
        ("cut string", f'[{TWO}, {{"n": 1, "kind": "say", "speaker": "闻', "a cut object"),
        ("cut object", f'[{TWO}, {{"n": 1, "kind"', "a cut object"),
        ("wrong number", f"[{TWO}, {ONE.replace('1,', '77,')}]", "no span 77"),
        ("two labels", f"[{ONE}, {TWO}, {ONE.replace('闻筝', '铜婆')}]", "span 1 has two labels"),
        ("merged keys", f'[{TWO}, {{"n": 1, "kind": "say", "n": 3, "kind": "act"}}]', "unreadable"),
        ("wrong kind", f"[{TWO}, {ONE.replace('say', 'shout')}]", "no label"),
        ("no number", f"[{TWO}, {ONE.replace('1,', 'null,')}]", "no label"),
        ("bad escape", rf'[{TWO}, {{"n": 1 "kind": "say", "speaker": "闻\x"}}]', "unreadable"),
        ("bare tab", f'[{TWO}, {{"n": 1 "kind": "say", "speaker": "闻\t筝"}}]', "unreadable"),
        ("stray quote", f'[{TWO}, {{"n": 1, "kind": "say", "speaker": "闻"筝"}}]', "unreadable"),
        ("speaker list", f'[{TWO}, {{"n": 1, "kind": "say", "speaker": ["闻筝"]}}]', "no label"),
    ],
)
def test_what_is_not_plain_is_asked_again(fault: str, reply: str, told: str) -> None:
    reading = read_labels(reply, {1, 2})
    assert set(reading.labels) == {2}
    assert any(told in line for line in reading.faults)


@pytest.mark.parametrize(
    ("reply", "speaker"),
    [
        (r'{"n": 1, "kind": "say", "speaker": "O\'Brien"}', "O'Brien"),
        (r'{"n": 1, "kind": "say", "speaker": "\*闻筝\*"}', "*闻筝*"),
        (r'{"n": 1, "kind": "say", "speaker": "a\\b"}', r"a\b"),
        (r'{"n": 1, "kind": "say", "speaker": "\ud83d"}', "\ufffd"),
        (r'{"n": 1, "kind": "say", "speaker": "\ud83d\ude00"}', "😀"),
    ],
)
def test_escapes_that_json_does_not_know(reply: str, speaker: str) -> None:
    assert read_labels(reply, {1}).labels[1].speaker == speaker


@pytest.mark.parametrize(
    "thought",
    [
        "<think>{}</think>",
        "{}</think>",
        "<thinking>\n{}\n</thinking>\n",
        "<seed:think>{}</seed:think>",
        "◁think▷{}◁/think▷",
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
)
def test_what_is_thought_is_no_answer(thought: str) -> None:
    reply = thought.replace("{}", ONE.replace("闻筝", "铜婆")) + ONE
    assert read_labels(reply, {1}).labels[1].speaker == "闻筝"
    assert (
        read_labels(f"{ONE}<think>{ONE.replace('闻筝', '铜婆')}", {1}).labels[1].speaker == "闻筝"
    )


def test_long_and_deep_replies_take_no_time() -> None:
    for reply in (
        "{" + "a" * 200_000,
        "{" * 200_000,
        "<think>" * 50_000,
        '{"a": ' + "[" * 90_000 + "}",
    ):
        assert read_labels(reply + "}", {1}).labels == {}


@pytest.mark.parametrize("reply", ["", "对不起，我不能回答。", "[]", "null", "{}"])
def test_a_reply_without_labels_is_a_fault(reply: str) -> None:
    assert read_labels(reply, {1}).labels == {} and read_labels(reply, {1}).faults


@pytest.mark.parametrize("speaker", ["null", '"unknown"', '"未知"', '""', '"旁白"'])
def test_nobody_is_none(speaker: str) -> None:
    reading = read_labels(f'{{"n": 1, "kind": "say", "speaker": {speaker}}}', {1})
    assert reading.labels[1].speaker is None


@pytest.mark.parametrize(
    ("given", "read"), [("0.8", 0.8), ("80", 0.8), ('"80%"', 0.8), ('"高"', 0.5), ("-3", 0.5)]
)
def test_confidence_is_a_share(given: str, read: float) -> None:
    assert (
        read_labels(f'{{"n": 1, "kind": "say", "confidence": {given}}}', {1}).labels[1].confidence
        == read
    )


def test_an_unknown_expression_is_none() -> None:
    assert read_labels(ONE.replace("微怒", "愤怒"), {1}).labels[1].expression is None


def test_other_replies_are_objects_too() -> None:
    assert read_objects('{"a": "甲"}{"a": "乙"}')[0] == [{"a": "甲"}, {"a": "乙"}]
