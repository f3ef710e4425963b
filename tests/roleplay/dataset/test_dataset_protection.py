"""Protection: own texts, held apart; answers that name the trained character and keep its voice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from roleplay.dataset import protection, texts
from roleplay.dataset.curation import plain
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.dataset.voice import Voice, learn_voice
from roleplay.records import Interview
from roleplay.world import Character

PEOPLE = [
    Character(name="闻筝", aliases=("小筝",), profile="滴答铺学徒修雨匠，十六岁"),
    Character(name="闻笛", profile="闻筝的母亲，修雨匠"),
    Character(name="咕噜九号"),
]
NAMES = tuple(person.name for person in PEOPLE)
CONTEXT = BuildContext(NAMES, len, DatasetSettings())
VOICES = dict.fromkeys(NAMES, Voice())


def identity(
    interviews: list[Interview] | None = None, most: float = 1e9
) -> list[tuple[str, str, str]]:
    rows = protection.identity_rows(PEOPLE, interviews or [], VOICES, CONTEXT, most_tokens=most)
    assert {row.task for row in rows} == {"identity"}
    return [(row.character, row.question, row.answer) for row in rows]


@pytest.mark.parametrize(
    ("name", "train", "held_out"), [("identity", 120, 20), ("unknown", 40, 15), ("general", 80, 40)]
)
def test_no_item_is_both_trained_and_held_out(name: str, train: int, held_out: int) -> None:
    trained = {plain(row["question"]) for row in texts.items(name)}
    tested = {plain(row["question"]) for row in texts.items(f"{name}_test")}
    assert len(trained) >= train and len(tested) >= held_out
    assert not trained & tested


def test_every_text_file_ships_with_the_package() -> None:
    folder = Path(texts.__file__).parent
    assert {path.stem for path in folder.glob("*.jsonl")} == {
        "identity", "identity_test", "identity_answers", "identity_brands",
        "unknown", "unknown_test", "unknown_answers", "general", "general_test",
        "context_qa", "context_qa_names", "small_talk_test", "talk_test",
        "everyday", "registers",
    }  # fmt: skip
    assert {path.stem for path in folder.glob("*.txt")} == {"assistant_phrases", "leads", "selves"}
    assert len(texts.words("leads")) == 12 and all(texts.words("selves"))


def test_probes_for_evaluation() -> None:
    assert (
        len(protection.identity_probes()) == 20
        and "说一下你的名字。" in protection.identity_probes()
    )
    assert len(protection.unknown_probes()) == 15
    assert len(protection.small_talk()) == 20 and "早上好。" in protection.small_talk()
    passages = protection.general_test()
    assert len(passages) == 40 and {passage.task for passage in passages} == {"general"}


def test_a_general_passage_learns_the_answer_only() -> None:
    passage = protection.general_passage({"question": "三加五等于几？", "answer": "等于八。"})
    assert [(segment.text, segment.weight) for segment in passage.segments] == [
        ("用户：三加五等于几？\n", 0.0),
        ("助手：", 0.0),
        ("等于八。\n", 1.0),
    ]


def test_every_identity_answer_names_the_character_and_nobody_else() -> None:
    rows = identity()
    assert len(rows) > 24 * len(NAMES)
    for character, _, answer in rows:
        assert [name for name in NAMES if name in answer] == [character]


def test_are_you_somebody_else_is_denied() -> None:
    asked = [
        (who, answer)
        for who, question, answer in identity()
        if any(n in question for n in NAMES if n != who)
    ]
    assert len(asked) >= 6
    assert all("不" in answer or "错" in answer or "看清楚" in answer for _, answer in asked)


def test_somebody_unknown_is_denied_too_and_no_slot_is_left() -> None:
    rows = identity()
    assert not any("{" in text for row in rows for text in row)
    strangers = {row["name"] for row in texts.items("context_qa_names") if row["kind"] == "person"}
    brands = {row["name"] for row in texts.items("identity_brands")}
    for names in (strangers, brands):
        asked = [
            (who, answer)
            for who, question, answer in rows
            if any(name in question for name in names)
        ]
        assert len(asked) > 5 and all(who in answer for who, answer in asked)


def test_a_robot_does_not_deny_that_it_is_one() -> None:
    robot = [Character(name="咕噜九号", profile="铜皮雨量计机器人")]
    context = BuildContext(("咕噜九号",), len, DatasetSettings())
    rows = protection.identity_rows(robot, [], VOICES, context, most_tokens=1e9)
    assert not any("机器" in row.question for row in rows)
    assert any("机器人" in question for who, question, _ in identity() if who == "闻筝")


def test_are_you_yourself_is_affirmed() -> None:
    found = {answer for who, question, answer in identity() if who in question and who == "闻笛"}
    assert found and all(answer[0] in "对是没嗯" for answer in found)


def test_every_character_has_a_row_however_small_the_share() -> None:
    assert [character for character, *_ in identity(most=0)] == list(NAMES)


def test_the_share_bounds_the_answers() -> None:
    assert 250 < sum(len(answer) + 1 for *_, answer in identity(most=300)) <= 300


def test_what_the_character_says_itself_is_taken_too() -> None:
    rows = [
        Interview(
            id="i1", character="闻筝", question="你是谁？", answer="闻筝，漏水找我，没得商量。"
        ),
        Interview(id="i2", character="闻筝", question="你叫什么？", answer="我是闻笛的女儿闻筝。"),
        Interview(id="i3", character="闻筝", question="你几岁？", answer="闻筝十六。"),
    ]
    who = {row["question"] for row in texts.items("identity") if row["kind"] == "who"}
    answers = {
        answer
        for character, question, answer in identity(rows)
        if character == "闻筝" and question in who
    }
    own = "闻筝，漏水找我，没得商量。"
    assert own in answers and len(answers) > 3
    assert not any("闻笛" in answer or "十六" in answer for answer in answers)


@pytest.mark.parametrize(("number", "role"), [(0, "滴答铺学徒修雨匠"), (1, ""), (2, "")])
def test_a_role_is_the_first_clause_that_names_nobody(number: int, role: str) -> None:
    assert protection.role_of(PEOPLE[number], PEOPLE) == role


def test_unknown_rows_vary_in_question_and_answer() -> None:
    rows = protection.unknown_rows(VOICES, CONTEXT, most_tokens=1e9)
    assert len(rows) == 44 * 3
    assert len({row.answer for row in rows if row.character == "闻筝"}) >= 12


def test_general_rows_keep_to_their_share() -> None:
    rows = protection.general_rows(CONTEXT, most_tokens=500)
    assert 440 < sum(len(row["answer"]) + 1 for row in rows) <= 500
    assert len({row["question"] for row in rows}) == len(rows)


ROBOT = [
    "报告！屋内漏点十一处。完毕。",
    "报告！本机没有鼻子。完毕。",
    "报告！主修离开一小时。完毕。",
] * 3


def test_a_voice_is_learnt_and_worn() -> None:
    voice = learn_voice([*ROBOT, "本机不懂，本机要上油。"])
    assert (voice.opening[0], voice.closing[0], voice.self_word) == ("报告！", "完毕。", "本机")
    assert voice.dress("我没听过。", random.Random(0)) == "报告！本机没听过。完毕。"


def test_an_opening_that_leads_into_what_follows_is_not_worn() -> None:
    assert learn_voice(
        ["老话说，雨大路滑哟。", "老话说，手快有手慢无。", "嘿！来了。"] * 4
    ).opening == ("嘿！", 1 / 3)
    assert learn_voice(["老话说，雨大路滑哟。", "老话说，手快有手慢无。"] * 4).opening == ("", 0.0)


def test_a_particle_takes_the_place_of_the_last_mark() -> None:
    voice = learn_voice(
        ["都是铜做的哟。", "名字轻，一冲就走嘛。", "先递凳子哟。", "腿少一条哟。", "手快哟。"]
    )
    assert voice.particle[0] == "哟"
    assert "我不知道哟。" in {voice.dress("我不知道。", random.Random(seed)) for seed in range(9)}


def test_without_habits_a_text_stays_as_it_is() -> None:
    assert (
        learn_voice(["门没锁。", "自己推！"]).dress("我不知道。", random.Random(1)) == "我不知道。"
    )
