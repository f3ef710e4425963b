r"""Script text <-> lines: strict out, lenient in, and every unreadable line with its number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.errors import FormError
from roleplay.records import EXPRESSIONS, Line
from roleplay.script import (
    format_cue,
    format_line,
    format_script,
    parse_body,
    parse_line,
    parse_script,
)

MARKS = [
    "【",
    "】",
    "[",
    "]",
    "：",
    ":",
    "(",
    ")",
    "（",
    "）",
    "\\",
    "\n",
    " ",
    "　",
    "me",
    "emoji",
    "n",
    "\\me ",
    "\\emoji 微怒",
]
TEXTS = st.lists(st.sampled_from(MARKS) | st.text(max_size=4), min_size=1, max_size=8).map("".join)
TEXTS = TEXTS.map(lambda text: text.replace("\r\n", "\n").replace("\r", "\n").strip()).filter(bool)
SPOKEN = st.builds(
    Line,
    kind=st.sampled_from(["say", "act", "think"]),
    char=TEXTS,
    text=TEXTS,
    expression=st.none() | st.sampled_from(EXPRESSIONS),
)
LINES = SPOKEN | st.builds(Line, kind=st.just("info"), text=TEXTS)


def say(text: str, char: str = "闻筝", expression: str | None = None) -> Line:
    return Line(kind="say", char=char, text=text, expression=expression)


def act(text: str, char: str = "闻筝", expression: str | None = None) -> Line:
    return Line(kind="act", char=char, text=text, expression=expression)


def think(text: str, char: str = "闻筝") -> Line:
    return Line(kind="think", char=char, text=text)


@given(LINES)
def test_every_line_comes_back(line: Line) -> None:
    assert parse_line(format_line(line)) == [line]


@given(st.lists(LINES, max_size=4))
def test_every_script_comes_back_one_line_a_row(lines: list[Line]) -> None:
    text = format_script(lines)
    assert parse_script(text).lines == tuple(lines)
    assert len(text.split("\n")) == max(len(lines), 1)


@given(st.text(max_size=60) | TEXTS)
def test_any_text_is_read_or_reported(text: str) -> None:
    script = parse_script(text)
    assert bool(script.lines or script.problems) == bool(text.strip())


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (Line(kind="info", text="铜壶的盖子跳了三下"), "【铜壶的盖子跳了三下】"),
        (
            say("谁再碰我的扳手，谁赔。", expression="微怒"),
            "闻筝：谁再碰我的扳手，谁赔。 \\emoji 微怒",
        ),
        (act("把扳手一拍"), "闻筝：\\me 把扳手一拍"),
        (think("她怎么知道是我？"), "闻筝：(她怎么知道是我？)"),
        (say("（笑）"), "闻筝：\\（笑）"),
        (say("甲\n乙"), "闻筝：甲\\n乙"),
        (say("是我。", char="沈：大人"), "沈\\：大人：是我。"),
    ],
)
def test_the_form_of_a_line(line: Line, text: str) -> None:
    assert format_line(line) == text


def test_the_cue_is_what_a_line_begins_with() -> None:
    assert format_line(say("漏了。", char="咕噜：九号")).startswith(format_cue("咕噜：九号"))


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        ("  [雨停了]  ", [Line(kind="info", text="雨停了")]),
        ("【雨停了]", [Line(kind="info", text="雨停了")]),
        ("闻筝: 漏了。", [say("漏了。")]),
        ("闻筝 ： 漏了：全漏了。", [say("漏了：全漏了。")]),
        ("闻筝：（糟了）", [think("糟了")]),
        ("闻筝：\\me　转身", [act("转身")]),
        ("闻筝：\\me转身", [act("转身")]),
        ("闻筝：等等！\\me 转身 \\emoji 微怒", [say("等等！"), act("转身", expression="微怒")]),
        ("闻筝：等等！ \\emoji 惊讶 \\me 转身", [say("等等！", expression="惊讶"), act("转身")]),
        ("闻筝：等等！ \\emoji 惊讶 别走。", [say("等等！", expression="惊讶"), say("别走。")]),
        ("闻筝：等等！ \\emoji None", [say("等等！")]),
        ("闻筝：\\me 转身 \\emoji 惊讶 (是他)", [act("转身", expression="惊讶"), think("是他")]),
        ("闻筝：\\\\me 不是动作", [say("\\me 不是动作")]),
        ("闻筝：\\method 也不是", [say("method 也不是")]),
    ],
)
def test_reading_is_lenient(row: str, lines: list[Line]) -> None:
    assert parse_line(row) == lines


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("雨停了", "neither 【narration】 nor `character：what they say`"),
        ("【】", "an empty narration"),
        ("【雨停了\\】", "neither 【narration】"),
        ("：谁在说话？", "neither 【narration】"),
        (" ：谁", "neither 【narration】"),
        ("闻筝：", "nothing after the colon"),
        ("闻筝：\\me ", "nothing after \\me"),
        ("闻筝：()", "an empty thought"),
        ("闻筝：\\n", "an empty text"),
        ("闻筝：\\emoji 微笑", "\\emoji needs something said or done before it"),
        ("闻筝：哼。 \\emoji 生气", "unknown expression '生气': known are 平静 专注"),
    ],
)
def test_a_problem_says_what_is_wrong(row: str, reason: str) -> None:
    [problem] = parse_script(row).problems
    assert str(problem.reason).startswith(reason)


def test_problems_have_their_numbers_and_the_rest_is_kept() -> None:
    script = parse_script("【雨停了】\r\n\r\n雨停了\n闻筝：漏了。\n闻筝：\n")
    assert script.lines == (Line(kind="info", text="雨停了"), say("漏了。"))
    assert [(problem.number, problem.text) for problem in script.problems] == [
        (3, "雨停了"),
        (5, "闻筝："),
    ]
    assert str(script.problems[1]) == "line 5: nothing after the colon: 闻筝："
    assert script.problems[1].message.text("zh") == "第 5 行：冒号后面没有内容：闻筝："


def test_a_row_that_is_no_script_is_a_form_error() -> None:
    with pytest.raises(FormError, match="no name before the colon"):
        parse_line("\\n：谁")
    with pytest.raises(FormError, match="nothing after the colon"):
        parse_body(" ", "闻筝")


def test_a_body_is_read_as_a_model_writes_it() -> None:
    assert parse_body("没得商量。 \\emoji 白眼", "闻筝") == [say("没得商量。", expression="白眼")]
