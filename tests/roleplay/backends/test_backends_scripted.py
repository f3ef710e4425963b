"""The scripted backend: replies in turn, and the same rules as the others."""

import pytest

from roleplay.backends.base import generate
from roleplay.backends.scripted import ScriptedBackend
from roleplay.errors import SamplingError
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams

PROMPT = Prompt(("阿灯：",))


def test_replies_come_in_turn_and_start_again() -> None:
    backend = ScriptedBackend(["灯亮着。", "天亮了。", "船来了。"])
    assert generate(backend, PROMPT, n=2, params=SamplingParams()) == ["灯亮着。", "天亮了。"]
    assert generate(backend, PROMPT, n=2, params=SamplingParams()) == ["船来了。", "灯亮着。"]
    assert backend.prompts == [PROMPT, PROMPT]


def test_a_reply_streams_and_ends_at_its_line_break() -> None:
    backend = ScriptedBackend(["灯\n阿灯：", "船来了。"])
    snapshots = list(backend.stream(PROMPT, n=2, params=SamplingParams(max_new_tokens=2)))
    assert snapshots == [["灯", "船"], ["灯", "船来"]]


def test_an_empty_reply_is_a_reply() -> None:
    assert generate(ScriptedBackend([""]), PROMPT, n=2, params=SamplingParams()) == ["", ""]


def test_there_is_nothing_to_wait_for() -> None:
    with ScriptedBackend(["灯"]).paused():
        pass


def test_too_many_samples() -> None:
    with pytest.raises(SamplingError, match="must be 1 to 20, not 0"):
        generate(ScriptedBackend(["灯"]), PROMPT, n=0, params=SamplingParams())
