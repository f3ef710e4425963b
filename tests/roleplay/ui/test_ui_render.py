"""HTML: what people and models write is text and stays text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleplay.background import Snippet
from roleplay.conversation import Session
from roleplay.messages import message
from roleplay.records import EXPRESSIONS, Line
from roleplay.script import Problem, parse_script
from roleplay.stages.cast import Person
from roleplay.ui import render
from roleplay.ui.answers import Answers, as_table
from roleplay.ui.portraits import NOBODY_KNOWN, hue, portrait, stylesheet
from roleplay.ui.turns import Look, growing, turns_view
from roleplay.ui.wall import head, wall

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">\'"&'
OURS = {
    "div",
    "span",
    "button",
    "ul",
    "ol",
    "li",
    "b",
    "i",
    "p",
    "h2",
    "section",
    "code",
    "meter",
    "br",
}
OURS |= {"svg", "path", "g", "ellipse", "circle"}


class Page(HTMLParser):
    """Tags, attributes and visible text, as a browser reads them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.handlers += [(name, value or "") for name, value in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        """The values that an attribute has, in order."""
        return [value for name, value in self.attributes if name == attribute]


LOOK = Look("zh", me="阿明")


def session(*texts: str) -> Session:
    """A scene of one reply with these candidates."""
    return Session().reply("闻筝", texts, "问：")


def evil_pages() -> list[str]:
    told = Session().add("【雨】").session.edit(0, EVIL)
    lines = [Line(kind=kind, char=EVIL, text=EVIL) for kind in ("say", "act", "think")]
    person = Person(EVIL, profile=EVIL, greeting=EVIL, questions=(EVIL,))
    drawn = [
        Answers(EVIL, EVIL, (EVIL, f"\\me {EVIL}", f"{EVIL} \\emoji 没有"), is_done=done)
        for done in (True, False)
    ]
    return [
        as_table(drawn, NOBODY_KNOWN, "zh"),
        turns_view(told.append(lines), LOOK),
        turns_view(session(EVIL, f"({EVIL})"), LOOK),
        growing(EVIL, (EVIL, f"\\me {EVIL}"), LOOK, EVIL),
        wall([person], NOBODY_KNOWN, "zh"),
        head(person, NOBODY_KNOWN, None),
        render.background_item(Snippet(EVIL, 0.5, EVIL)),
        render.problem_list([Problem(1, EVIL, message("plain", text=EVIL))], "zh"),
        render.status_line("failed", EVIL, "zh"),
    ]


@pytest.mark.parametrize("html", evil_pages())
def test_no_markup_of_a_text_gets_into_the_page(html: str) -> None:
    page = Page(html)
    assert page.tags <= OURS
    assert EVIL in page.text
    assert page.handlers == []


@given(st.text(max_size=30))
def test_a_candidate_is_shown_and_copied_but_never_run(text: str) -> None:
    row = Answers("几岁？", "闻筝", (text,), is_done=True)
    page = Page(as_table([row], NOBODY_KNOWN, "zh"))
    assert page.tags <= OURS and page.handlers == []
    assert page.values("data-text") == [text]


def test_every_candidate_has_a_card_with_its_number() -> None:
    why = ((("fit", 1.0),), (("fit", 0.5),))
    row = Answers("几岁？", "闻筝", ("甲。", "乙。"), why, is_done=True)
    html = as_table([row], NOBODY_KNOWN, "zh")
    told = Page(html).text.replace("为什么排在这里", "")
    assert told == "几岁？闻筝1最佳甲。切题 +1.0复制☆ 留下2乙。切题 +0.5复制☆ 留下"
    assert 'data-done="true"' in html


def test_a_growing_candidate_cannot_be_copied_yet() -> None:
    html = as_table([Answers("几岁？", "闻筝", ("甲", ""))], NOBODY_KNOWN, "zh")
    assert Page(html).text == "几岁？闻筝1甲2…"
    assert 'data-done="false"' in html and "rp-caret" in html


def test_no_answers_say_where_they_will_be() -> None:
    assert Page(as_table((), NOBODY_KNOWN, "zh")).text == "回答会并排出现在这里"


def test_action_thought_and_expression_are_told_apart() -> None:
    html = render.body("闻筝", "等等！\\me 转身 \\emoji 微怒", "en")
    assert '<span class="rp-act">*转身*</span>' in html
    assert 'title="annoyed" role="img" aria-label="annoyed">😠</span>' in html
    assert '<span class="rp-think">（糟了）</span>' in render.body("闻筝", "(糟了)", "zh")


@pytest.mark.parametrize("word", EXPRESSIONS)
def test_every_expression_has_a_face_of_its_own(word: str) -> None:
    html = turns_view(session(f"哼。 \\emoji {word}"), LOOK)
    assert f'title="{word}"' in html
    faces = {portrait("闻筝", one, "f") for one in EXPRESSIONS}
    assert len(faces) == len(EXPRESSIONS)


def test_a_turn_has_the_buttons_of_what_can_be_done_with_it() -> None:
    buttons = Page(turns_view(session("哼。", "走。"), LOOK)).values("data-do")
    wanted = "pick back on again liked disliked copy edit teach insert branch delete more"
    assert buttons == wanted.split()
    mine = Page(turns_view(Session().add("阿明：走。").session, LOOK)).values("data-do")
    assert mine == ["copy", "edit", "insert", "branch", "delete", "more"]
    shared = turns_view(session("哼。"), Look("zh", rates=False))
    assert "liked" not in shared and "teach" not in shared


def test_every_button_is_named_in_both_languages() -> None:
    for spoken in ("zh", "en"):
        html = turns_view(session("哼。", "走。"), Look(spoken))
        icons = [piece for piece in html.split("<button")[1:] if "aria-label" in piece]
        assert len(icons) == 6  # leaf twice, another try, two marks, more


def test_only_the_newest_turn_shows_its_tools_and_candidates() -> None:
    html = turns_view(session("哼。", "走。").reply("闻筝", ["好。"]), LOOK)
    assert html.count("rp-open") == 1 and "rp-others" not in html


def test_a_text_keeps_its_line_breaks() -> None:
    line = Line(kind="say", char="闻筝", text="漏了。\n全漏了。")
    assert "漏了。<br>全漏了。" in turns_view(Session().append([line]), LOOK)


def test_an_empty_view_says_what_to_do() -> None:
    assert "还没有说话" in turns_view(Session(), Look("zh", empty="talk_empty"))


def test_a_name_has_one_colour() -> None:
    assert hue("闻筝") == hue("闻筝") != hue("陆迟")


def test_pictures_stand_in_the_place_of_drawn_faces() -> None:
    style = stylesheet({"闻筝": b"RIFF"})
    place = portrait("闻筝").split("rp-p-")[1][:10]
    assert f".rp-p-{place}{{background" in style and "data:image/webp;base64,UklGRg==" in style


def test_people_introduce_themselves() -> None:
    person = Person("闻筝", profile="修雨匠", greeting="早。 \\emoji 微笑", questions=("几岁？",))
    page = Page(wall([person], NOBODY_KNOWN, "zh"))
    assert page.text.startswith("🙂闻筝修雨匠早。 🙂几岁？")
    assert page.values("data-do") == ["meet", "ask"] and page.values("data-text") == ["几岁？"]


def test_background_shows_score_and_source() -> None:
    html = render.background_item(Snippet("闻筝十六岁。", 0.876, "闻筝 / 生平"))
    assert Page(html).text == "闻筝 / 生平0.88闻筝十六岁。"
    assert 'value="0.88"' in html


def test_a_pinned_snippet_shows_no_score() -> None:
    assert (
        Page(render.background_item(Snippet("闻筝十六岁。", 1, "闻筝"), scored=False)).text
        == "闻筝闻筝十六岁。"
    )


def test_problems_show_their_numbers() -> None:
    problems = [*parse_script("【钟响】\n没有冒号\n\n\n闻筝：").problems]
    text = Page(render.problem_list(problems, "zh")).text
    assert (
        "第 2 行 没有冒号 — 要写成 【旁白】" in text and "第 5 行 闻筝： — 冒号后面没有内容" in text
    )
    assert "line 5" in Page(render.problem_list(problems, "en")).text


def test_an_unknown_expression_lists_the_known() -> None:
    [problem] = parse_script("闻筝：哼。 \\emoji 生气").problems
    text = Page(render.problem_list([problem], "zh")).text
    assert "没有“生气”这个表情" in text and all(word in text for word in EXPRESSIONS)


def test_no_problems_show_nothing() -> None:
    assert render.problem_list([], "zh") == ""
