"""Chats: what is kept of a conversation, and the forms it is handed on in."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from roleplay.chat import Chat, as_jsonl, as_markdown
from roleplay.conversation import Session
from roleplay.errors import DialogueError
from roleplay.prompts import Asker

ME = Asker("阿明", "镇上的面包师")


@pytest.fixture
def chat() -> Chat:
    session = Session().add("【雨停了】\n阿明：今天漏不漏？").session
    session = session.reply(
        "闻筝", ["漏*一点*。 \\emoji 微笑", "\\me <b>转身</b>"], "问：今天漏不漏？"
    )
    begun = Chat.begin("talk", world="雨", character="闻筝", asker=ME)
    return replace(begun.with_session(session), chapter=3)


def test_a_chat_comes_back(chat: Chat) -> None:
    assert Chat.from_json(json.loads(json.dumps(chat.to_json()))) == chat


def test_where_room_is_scarce_prompts_are_left_out(chat: Chat) -> None:
    assert "问：" not in json.dumps(chat.to_json(prompts=False), ensure_ascii=False)


@pytest.mark.parametrize("field", ["id", "kind", "turns", "format"])
def test_a_document_of_another_form_is_refused(chat: Chat, field: str) -> None:
    for value in ("../x", None, [[]], {"a": 1}):
        with pytest.raises(DialogueError):
            Chat.from_json(chat.to_json() | {field: value})
    for other in (None, 3, [], "x"):
        with pytest.raises(DialogueError, match="this is no saved scene"):
            Chat.from_json(other)


def test_a_chat_is_named_by_its_first_words(chat: Chat) -> None:
    assert chat.name == "今天漏不漏？"
    assert replace(chat, title="初见").name == "初见"
    assert Chat.begin("scene").name == ""


def test_a_branch_is_another_chat_that_begins_alike(chat: Chat) -> None:
    branch = chat.branch(0)
    assert branch.id != chat.id and branch.session.text == "【雨停了】"
    assert (branch.character, branch.asker, branch.chapter) == ("闻筝", ME, 3)


def test_another_name_stands_on_what_one_said_before(chat: Chat) -> None:
    renamed = chat.renamed(Asker("阿亮"))
    assert [line.char for line in renamed.session.lines] == [None, "阿亮", "闻筝"]
    assert chat.renamed(Asker("阿明", "别的")).session == chat.session


def test_markdown_has_no_markup_of_what_was_said(chat: Chat) -> None:
    text = as_markdown(chat)
    assert text.startswith("# 今天漏不漏？\n\n> 雨停了\n\n**阿明**：今天漏不漏？\n\n")
    assert "漏\\*一点\\*。 （微笑）" in text
    assert "\\<b\\>" in as_markdown(chat.with_session(chat.session.swipe(2, 1)))


def test_jsonl_has_candidates_as_swipes(chat: Chat) -> None:
    head, story, mine, theirs = map(json.loads, as_jsonl(chat).splitlines())
    assert (head["user_name"], head["character_name"], head["chat_metadata"]) == (
        "阿明",
        "闻筝",
        {},
    )
    assert story["extra"] == {"type": "narrator"} and not story["is_user"]
    assert (mine["is_user"], mine["mes"]) == (True, "今天漏不漏？") and "swipes" not in mine
    assert theirs["mes"] == theirs["swipes"][theirs["swipe_id"]] == "漏*一点*。 \\emoji 微笑"
    assert len(theirs["swipes"]) == 2
