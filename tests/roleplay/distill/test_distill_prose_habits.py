"""Habits of prose that tell who speaks: cues on their own line, groups, strangers, three languages."""

import pytest

from roleplay.distill.report import cast_doubt
from roleplay.distill.rules.cast import discover_cast, find_people, language_of
from roleplay.distill.rules.script import LEFT_OUT, distil_rules
from roleplay.distill.rules.simplify import simplified
from roleplay.records import UNKNOWN


def told(text: str, *names: str, language: str | None = None) -> list[str | None]:
    """The speaker of each spoken line."""
    cast = dict.fromkeys(names, ())
    lines = distil_rules(text, (), (), cast, language=language)
    return [line.char for line in lines if line.kind != "info"]


def test_a_cue_on_its_own_line_after_the_quote() -> None:
    text = "“桶是谁的？”\n小岚问道。\n“哥哥的。”\n阿满回答。\n“进来吧。”\n母亲担心地说。\n"
    assert told(text, "小岚", "阿满") == ["小岚", "阿满", "母亲"]


def test_its_own_cue_wins_over_a_colon_before() -> None:
    text = "小岚说道：\n\n“走吧。”\n\n“真的？”阿满惊讶地反问道。\n"
    assert told(text, "小岚", "阿满") == ["小岚", "阿满"]


def test_each_acts_before_the_own_words() -> None:
    assert told("周伯摇头。“不去。”小岚坐下。“我也不去。”\n", "周伯", "小岚") == ["周伯", "小岚"]


def test_who_is_spoken_to_does_not_speak() -> None:
    assert told("小岚走过来，对周伯说：“走吧。”\n", "周伯", "小岚") == ["小岚"]


@pytest.mark.parametrize("cue", ["一个卖花的喊道：", "那人颇为不安地问道：", "屋里有人说："])
def test_an_unknown_subject_never_falls_to_a_known_person(cue: str) -> None:
    assert told(f"小岚说：“来。”\n\n{cue}\n\n“谁？”\n", "小岚") == ["小岚", UNKNOWN]


def test_a_thought_that_a_verb_leads_to() -> None:
    lines = distil_rules("小岚心中一闪：“不好！”\n", (), (), {"小岚": ()})
    assert [(line.kind, line.char) for line in lines if line.kind != "info"] == [("think", "小岚")]


def test_names_are_not_cut_inside() -> None:
    text = "柳小苓说：“好。”\n柳小苓笑道：“坐。”\n柳长风说：“走。”\n柳小苓问：“谁？”\n柳长风道：“我。”\n"
    assert set(discover_cast(text)) == {"柳小苓", "柳长风"}


def test_traditional_and_simplified_are_one_language() -> None:
    text = "只見展爺道：「你等等。」只聽包公說：「好。」忽聽展爺笑道：「請。」包公道：「來。」\n"
    assert told(text) == ["展爺", "包公", "展爺", "包公"]
    assert told(simplified(text)) == ["展爷", "包公", "展爷", "包公"]


def test_a_deleted_name_stays_away() -> None:
    lines = distil_rules("老蔡说：“走。”\n", (), (), {"小岚": ()}, deleted={"老蔡"})
    assert [(line.char, line.reason) for line in lines] == [(UNKNOWN, LEFT_OUT)]


def test_a_title_is_an_alias_where_one_person_has_the_surname() -> None:
    text = "苏文纨说：“好。”\n苏小姐笑了。\n苏小姐走了。\n苏文纨问：“谁？”\n" * 2
    (person,) = find_people(text)
    assert (person.name, person.aliases) == ("苏文纨", ("苏小姐",)) and person.evidence


def test_two_titles_of_one_surname_are_two_persons() -> None:
    text = "孙小姐说：“好。”\n孙太太道：“不好。”\n" * 4
    assert {person.name for person in find_people(text)} == {"孙小姐", "孙太太"}


ENGLISH = """"Come in," said Anna. "It is late."

"Is it?" Mr. Hale asked.

Anna turned to the window and said, "Look at the rain."

"I see it," he answered.

"Good evening," said the porter.
"""


def test_english_tags_before_after_and_inside() -> None:
    assert told(ENGLISH) == ["Anna", "Anna", "Mr. Hale", "Anna", "Mr. Hale", "porter"]


JAPANESE = """「おはよう」と小満さんは言った。

「眠い」

早瀬君は小さな声で答えた。

「もう昼ですよ」

と小満さんが笑って言った。

私は窓を開けた。
"""


def test_japanese_cues_after_a_quote_and_on_the_next_line() -> None:
    assert told(JAPANESE) == ["小満", "早瀬", "小満"]


@pytest.mark.parametrize(
    ("text", "narrator"),
    [
        ("“走吧。”我说。\n我看着他。\n“去哪里？”\n我笑了。\n", "我"),
        ('"Go," I said.\n\nI looked at him.\n\nI laughed.\n', "I"),
        ("「行こう」と私は言った。\n私は笑った。\n私は海を見た。\n", "私"),
    ],
)
def test_a_first_person_narrator_is_a_person(text: str, narrator: str) -> None:
    assert told(text)[0] == narrator and find_people(text)[-1].name == narrator


def test_a_language_without_rules() -> None:
    assert language_of("Она сказала: «Иди сюда». Он не ответил.") is None
    assert language_of("", "ko") is None


@pytest.mark.parametrize(
    ("speakers", "unknown", "key"),
    [
        ({}, 30, "distill.cast-none"),
        ({"甲": 20, "乙": 10}, 0, "distill.cast-few"),
        ({"甲": 25, "乙": 3, "丙": 2}, 2, "distill.cast-one"),
        ({"甲": 12, "乙": 10, "丙": 8}, 0, "distill.cast-all"),
        ({"甲": 12, "乙": 10, "丙": 8}, 3, None),
    ],
)
def test_a_cast_that_looks_wrong_is_said(
    speakers: dict[str, int], unknown: int, key: str | None
) -> None:
    spoken = sum(speakers.values()) + unknown
    doubt = cast_doubt({"speakers": speakers, "spoken": spoken, "unknown": unknown})
    assert (doubt and doubt.key) == key
