"""Events: what a stage tells, and how it stands in a job's file."""

from __future__ import annotations

import json

from kb.errors import WikiError
from roleplay.errors import AdapterError
from roleplay.messages import message
from roleplay.stages.progress import Event, Teller


def test_lines_and_steps_reach_the_listener() -> None:
    told: list[Event] = []
    say = Teller("distill", told.append)
    say.say("files.missing", path="x")
    step = say.step("knowledge.embedding")
    step(1, 4)
    step(4, 4)
    assert [(event.stage, event.done, event.total) for event in told] == [
        ("distill", None, None),
        ("distill", 1, 4),
        ("distill", 4, 4),
    ]
    assert told[0].message.text("zh") == "缺少 x" and told[-1].left == 0


def test_what_was_done_before_is_no_speed() -> None:
    told: list[Event] = []
    step = Teller("training", told.append).step("training-stage.steps")
    step(500, 510)
    assert told[0].rate is not None and told[0].left is not None
    assert abs(told[0].left * told[0].rate - 10) < 1e-6


def test_an_event_in_a_file_is_told_in_either_language() -> None:
    inner = message("form.at", place="a", what=message("form.empty"))
    event = Event("distill", message("files.unwritable", path="x", reason=[inner]), 1, 2, 0.5, 2.0)
    again = Event.from_json(json.loads(json.dumps(event.to_json())))
    for language in ("zh", "en"):
        assert again.message.text(language) == event.message.text(language)
    assert (again.done, again.total, again.rate, again.left) == (1, 2, 0.5, 2.0)


def test_what_the_knowledge_base_and_an_error_say_is_told_in_either_language() -> None:
    inner = WikiError("wiki.binary", path="worlds/x/wiki/a")
    error = AdapterError("files.missing", path="a")
    event = Event("knowledge", message("form.at", place=error, what=inner))
    again = Event.from_json(json.loads(json.dumps(event.to_json())))
    for language in ("zh", "en"):
        assert again.message.text(language) == event.message.text(language)
    assert again.message.text("zh") != again.message.text("en")
