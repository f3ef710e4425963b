"""Sessions and the agent, with a backend that says what it is told to."""

import json
from typing import NamedTuple

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from roleplay.backends.scripted import ScriptedBackend
from roleplay.background import Retriever, Snippet
from roleplay.dialogue import CharacterAgent, Heard, Pins, Session, last_reply
from roleplay.errors import DialogueError, PromptError, SamplingError
from roleplay.prompts import Asker, Budget
from roleplay.recall import SCENE, Exchange, Recall, keys_of
from roleplay.records import EXPRESSIONS, Line
from roleplay.sampling import SamplingParams
from roleplay.script import parse_script

OPENING = "【雨停了】\n陆迟：不好意思，我来晚了。 \\emoji 害羞"
PARAMS = SamplingParams()


class Piece(NamedTuple):
    text: str
    score: float
    source: str


PAGES = {
    "闻筝": Piece("闻筝最爱吃椒盐豆糕。", 0.9, "闻筝"),
    "雨停了": Piece("雨停要敲钟。", 0.4, "雨钟"),
}


class Pages:
    """A dict as a retriever: every page whose title the query holds; ``queries`` were asked."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, int]] = []
        self.limits: list[tuple[str | None, int | None]] = []

    def __call__(
        self, query: str, k: int, *, character: str | None = None, chapter: int | None = None
    ) -> list[Snippet]:
        self.queries.append((query, k))
        self.limits.append((character, chapter))
        return [piece for title, piece in PAGES.items() if title in query][:k]


def agent(replies: list[str], retriever: Retriever | None = None) -> CharacterAgent:
    return CharacterAgent(
        ScriptedBackend(replies), characters=["闻筝", "陆迟"], retriever=retriever
    )


def asked(chat: CharacterAgent) -> str:
    """The newest prompt that the backend saw."""
    assert isinstance(chat.backend, ScriptedBackend)
    return chat.backend.prompts[-1].text


@pytest.fixture
def session() -> Session:
    return Session().add(OPENING).session


def test_typed_lines_are_added(session: Session) -> None:
    assert [(line.kind, line.char) for line in session.lines] == [("info", None), ("say", "陆迟")]
    assert session.text == OPENING


def test_unreadable_lines_are_reported_and_the_rest_is_kept(session: Session) -> None:
    added = session.add("闻筝：漏了。\n没有冒号\n【钟响】")
    assert added.session.text == OPENING + "\n闻筝：漏了。\n【钟响】"
    assert [(problem.number, problem.text) for problem in added.problems] == [(2, "没有冒号")]


def test_nothing_readable_is_no_move(session: Session) -> None:
    added = session.add("没有冒号")
    assert added.session is session and len(added.problems) == 1


def test_a_chosen_candidate_becomes_lines(session: Session) -> None:
    chosen = session.choose("闻筝", "哼。\\me 转身 \\emoji 白眼")
    assert chosen.text == OPENING + "\n闻筝：哼。\n闻筝：\\me 转身 \\emoji 白眼"


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [("", "nothing after the colon"), ("哼 \\emoji 怒", "unknown expression")],
)
def test_a_candidate_that_is_no_line_is_refused(
    session: Session, candidate: str, reason: str
) -> None:
    with pytest.raises(
        DialogueError, match=rf"this candidate cannot be a line \({reason}.*choose another"
    ):
        session.choose("闻筝", candidate)


def test_undo_takes_back_whole_moves(session: Session) -> None:
    later = session.choose("闻筝", "哼。\\me 转身").add("【钟响】").session
    assert later.undo().undo() == session
    assert session.undo().lines == ()


def test_undo_of_nothing_is_refused() -> None:
    with pytest.raises(DialogueError, match="nothing to undo: the scene is as it was opened"):
        Session().undo()


LINES = st.builds(
    Line,
    kind=st.sampled_from(["say", "act", "think"]),
    char=st.text(min_size=1).filter(str.strip),
    text=st.text(min_size=1).filter(str.strip),
    expression=st.none() | st.sampled_from(EXPRESSIONS),
)


@given(st.lists(LINES, max_size=4))
def test_a_saved_scene_comes_back(lines: list[Line]) -> None:
    assert Session.load(Session.of(lines).dump()).lines == tuple(lines)


def test_script_text_is_loaded_as_well(session: Session) -> None:
    assert Session.load(OPENING) == Session.of(session.lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("【雨停了】\n随便写的", "line 2: neither"),
        ("{", "is not JSON"),
        ("{}", "format: is missing"),
        ('{"format": 1, "lines": [{"char": "闻筝"}]}', "no info, say, act or think"),
        (
            '{"format": 1, "lines": [{"char": "闻筝", "say": "哼", "expression": "怒"}]}',
            "unknown expression '怒'",
        ),
        ('{"format": 1, "lines": 3}', "lines: '3' is not of this form"),
    ],
)
def test_a_file_that_is_no_scene_is_refused(text: str, reason: str) -> None:
    with pytest.raises(
        DialogueError, match=rf"this is no saved scene \({reason}.*\): choose a file saved here"
    ) as caught:
        Session.load(text)
    assert "\n" not in str(caught.value)


def test_what_is_wrong_with_a_file_is_told_in_chinese_as_well() -> None:
    with pytest.raises(DialogueError) as caught:
        Session.load("【雨停了】\n随便写的")
    assert caught.value.text("zh") == (
        "这不是保存的场景（第 2 行：要写成 【旁白】 或者 角色：说的话：随便写的）："
        "请选在这里保存的文件或剧本文本"
    )


def test_a_scene_of_another_format_is_refused() -> None:
    with pytest.raises(DialogueError, match="the scene has format 9, this program reads 1"):
        Session.load(json.dumps({"format": 9, "lines": []}))


def test_answers_stream_and_end_whole() -> None:
    replies = list(
        agent(["豆糕。", "没得商量。"]).ask("闻筝", "你最爱吃什么？", n=2, params=PARAMS)
    )
    assert replies[0].candidates == ("豆", "没")
    assert replies[-1].candidates == ("豆糕。", "没得商量。")
    assert replies[-1].prompt.text == "问：你最爱吃什么？\n闻筝："


def test_history_stands_before_the_question() -> None:
    chat = agent(["豆糕。"])
    last_reply(chat.ask("闻筝", "然后呢？", n=1, params=PARAMS, history=[("几岁？", "十六。")]))
    assert asked(chat) == "问：几岁？\n闻筝：十六。\n问：然后呢？\n闻筝："


def test_background_is_looked_up_and_shown() -> None:
    pages = Pages()
    reply = last_reply(agent(["豆糕。"], pages).ask("闻筝", "你最爱吃什么？", n=1, params=PARAMS))
    assert pages.queries == [("闻筝 你最爱吃什么？", 2)]
    assert reply.prompt.background == (PAGES["闻筝"],)
    assert reply.prompt.text == "【闻筝最爱吃椒盐豆糕。】\n问：你最爱吃什么？\n闻筝："


def test_a_scene_is_played_on(session: Session) -> None:
    pages = Pages()
    chat = agent(["哼。\n陆迟：别生气。"], pages)
    reply = last_reply(chat.act("闻筝", session, n=1, params=PARAMS))
    assert reply.candidates == ("哼。",)
    assert pages.queries == [("闻筝\n雨停了\n不好意思，我来晚了。", 2)]
    assert asked(chat) == f"【雨停要敲钟。】\n【闻筝最爱吃椒盐豆糕。】\n{OPENING}\n闻筝："


def test_background_off_asks_nothing(session: Session) -> None:
    pages = Pages()
    chat = agent(["哼。"], pages)
    last_reply(chat.act("闻筝", session, n=1, params=PARAMS, background=False))
    last_reply(chat.ask("闻筝", "雨停了？", n=1, params=PARAMS, background=False))
    assert pages.queries == []
    assert asked(chat) == "问：雨停了？\n闻筝："


def test_a_prompt_can_be_had_without_a_reply(session: Session) -> None:
    chat = agent(["豆糕。"], Pages())
    history = [("几岁？", "十六。")]
    asking = chat.ask("闻筝", "然后呢？", n=1, params=PARAMS, history=history, chapter=4)
    prompt = chat.question_prompt("闻筝", "然后呢？", history=history, chapter=4)
    assert prompt == last_reply(asking).prompt
    pins = Pins().pin(TOWER)
    acting = chat.act("闻筝", session, n=1, params=PARAMS, pins=pins)
    assert chat.scene_prompt("闻筝", session, pins=pins) == last_reply(acting).prompt
    assert chat.scene_prompt("闻筝", session, pins=pins, background=False).background == ()


def test_an_unknown_character_lists_the_known(session: Session) -> None:
    with pytest.raises(DialogueError, match="no character '夏娜': known are 闻筝 陆迟"):
        last_reply(agent(["哼。"]).act("夏娜", session, n=1, params=PARAMS))


def test_the_number_of_candidates_is_checked_before_the_backend_is_asked() -> None:
    chat = agent(["哼。"])
    with pytest.raises(SamplingError, match="must be 1 to 20, not 0"):
        last_reply(chat.ask("闻筝", "几岁？", n=0, params=PARAMS))
    assert isinstance(chat.backend, ScriptedBackend) and chat.backend.prompts == []


def test_an_empty_question_is_refused() -> None:
    with pytest.raises(PromptError, match="the question is empty"):
        last_reply(agent(["哼。"]).ask("闻筝", " ", n=1, params=PARAMS))


def test_background_with_a_low_score_is_left_out(session: Session) -> None:
    chat = CharacterAgent(
        ScriptedBackend(["哼。"]), characters=["闻筝"], retriever=Pages(), min_score=0.5
    )
    reply = last_reply(chat.act("闻筝", session, n=1, params=PARAMS))
    assert [snippet.source for snippet in reply.prompt.background] == ["闻筝"]


def test_the_acting_character_s_profile_stands_first(session: Session) -> None:
    chat = CharacterAgent(
        ScriptedBackend(["哼。"] * 3), characters=["闻筝", "陆迟"], profiles={"闻筝": "修雨匠"}
    )
    last_reply(chat.act("闻筝", session, n=1, params=PARAMS))
    assert asked(chat) == f"【闻筝：修雨匠】\n{OPENING}\n闻筝："
    last_reply(chat.ask("闻筝", "几岁？", n=1, params=PARAMS))
    assert asked(chat) == "【闻筝：修雨匠】\n问：几岁？\n闻筝："
    last_reply(chat.ask("陆迟", "几岁？", n=1, params=PARAMS))
    assert asked(chat) == "问：几岁？\n陆迟："


def test_the_retriever_is_told_who_asks_and_how_far_the_story_is(session: Session) -> None:
    pages = Pages()
    chat = CharacterAgent(ScriptedBackend(["哼。"]), characters=["闻筝"], retriever=pages)
    last_reply(chat.ask("闻筝", "几岁？", n=1, params=PARAMS, chapter=4))
    last_reply(chat.act("闻筝", session, n=1, params=PARAMS, chapter=3))
    last_reply(chat.act("闻筝", session, n=1, params=PARAMS))
    assert pages.limits == [("闻筝", 4), ("闻筝", 3), ("闻筝", None)]


TOWER = Piece("塔在河边。", 0.0, "塔")


def test_pinned_background_is_used_whatever_its_score_and_first_in_the_budget() -> None:
    chat = agent(["豆糕。"], Pages())
    chat.budget = Budget(background=len("【塔在河边。】\n"))
    reply = last_reply(chat.ask("闻筝", "几岁？", n=1, params=PARAMS, pins=Pins().pin(TOWER)))
    assert [snippet.text for snippet in reply.prompt.background] == [TOWER.text]


def test_pinned_background_is_used_without_a_retriever() -> None:
    reply = last_reply(
        agent(["豆糕。"]).ask("闻筝", "几岁？", n=1, params=PARAMS, pins=Pins().pin(TOWER))
    )
    assert [snippet.text for snippet in reply.prompt.background] == [TOWER.text]


def test_removed_background_gives_its_place_to_the_next(session: Session) -> None:
    chat = CharacterAgent(
        ScriptedBackend(["哼。"]), characters=["闻筝"], retriever=Pages(), snippets=1
    )
    pins = Pins().remove(PAGES["闻筝"])
    reply = last_reply(chat.act("闻筝", session, n=1, params=PARAMS, pins=pins))
    assert reply.prompt.background == (PAGES["雨停了"],)


def test_a_pinned_snippet_that_is_found_as_well_is_used_once() -> None:
    pins = Pins().pin(PAGES["闻筝"])
    reply = last_reply(
        agent(["哼。"], Pages()).ask("闻筝", "几岁？", n=1, params=PARAMS, pins=pins)
    )
    assert [snippet.text for snippet in reply.prompt.background] == [PAGES["闻筝"].text]


def test_background_off_leaves_the_pinned_out_too() -> None:
    pins = Pins().pin(TOWER)
    reply = last_reply(
        agent(["哼。"]).ask("闻筝", "几岁？", n=1, params=PARAMS, pins=pins, background=False)
    )
    assert reply.prompt.background == ()


ME = Asker("阿明", "镇上的面包师")


def test_a_conversation_is_told_as_questions_of_whoever_asks() -> None:
    pages = Pages()
    chat = agent(["豆糕。", "没得商量。"], pages)
    talk = Session().add("闻筝：早。\n【雨停了】\n阿明：\\me 敲门\n阿明：闻筝，吃什么？").session
    reply = last_reply(chat.talk("闻筝", talk, ME, n=2, params=PARAMS, chapter=3))
    assert reply.candidates == ("豆糕。", "没得商量。")
    assert asked(chat) == (
        "【问：阿明，镇上的面包师】\n【闻筝最爱吃椒盐豆糕。】\n"
        "闻筝：早。\n【雨停了】\n问：\\me 敲门\n问：闻筝，吃什么？\n闻筝："
    )
    assert pages.queries == [("闻筝 闻筝，吃什么？", 2)] and pages.limits == [("闻筝", 3)]


def test_the_last_question_of_a_conversation_reads_as_one_that_is_asked() -> None:
    chat = agent(["豆糕。"])
    talk = Session().add("你：几岁？").session
    assert chat.talk_prompt("闻筝", talk, Asker()) == chat.question_prompt("闻筝", "几岁？")


def test_a_conversation_shows_as_many_exchanges_as_in_training() -> None:
    talk = Session().add("\n".join(f"你：第{n}问\n闻筝：第{n}答" for n in range(9))).session
    prompt = agent(["好。"]).talk_prompt("闻筝", talk, Asker())
    assert prompt.text.startswith("问：第4问\n") and prompt.dropped == 8


def test_a_character_may_go_on_by_itself() -> None:
    pages = Pages()
    talk = Session().add("你：几岁？\n闻筝：十六。").session
    agent(["好。"], pages).talk_prompt("闻筝", talk, Asker())
    assert pages.queries == [("闻筝\n几岁？\n十六。", 2)]


def test_who_is_next_without_a_model_that_can_tell_is_in_turn(session: Session) -> None:
    assert agent(["好。"]).next_speakers(session, ["陆迟", "闻筝"]) == ["闻筝", "陆迟"]


@pytest.mark.parametrize(
    ("scene", "said", "earlier"),
    [
        ("陆迟：我们现在怎么办？ \\me 攥紧了伞", "我们现在怎么办？", ""),
        ("陆迟： \\me 攥紧了伞", "攥紧了伞", ""),
        ("陆迟：快跑！\n【水漫了上来】", "水漫了上来", "快跑！"),
        ("【水漫了上来】\n陆迟：快跑！", "快跑！", ""),
        ("闻筝：走。\n【水漫了上来】", "水漫了上来", ""),
        ("陆迟：快跑！\n闻筝：走。", "", ""),
        ("", "", ""),
    ],
)
def test_words_are_heard_before_gestures_and_what_is_told(
    scene: str, said: str, earlier: str
) -> None:
    heard = Heard.of("闻筝", parse_script(scene).lines)
    assert (heard.said, heard.earlier) == (said, earlier)


def test_a_scene_recalls_as_one_and_a_question_does_not() -> None:
    known = [
        Exchange("陆迟", SCENE, "…… \\me 攥紧袖口"),
        Exchange("陆迟", "{statement}", "我在听。"),
        Exchange("陆迟", "晚安", "晚安。"),
    ]
    recall = Recall(known, tiny.vectors_apart(keys_of(known)), tiny.vectors_apart)
    chat = CharacterAgent(ScriptedBackend(["好。"]), characters=["陆迟"], recall=recall)
    scene = Session.of(parse_script("闻筝：绿洲裂开了。").lines)
    assert last_reply(chat.act("陆迟", scene, n=1, params=PARAMS)).candidates == (
        "…… \\me 攥紧袖口",
    )
    asked = last_reply(chat.ask("陆迟", "绿洲裂开了。", n=1, params=PARAMS))
    assert asked.candidates == ("我在听。",)
