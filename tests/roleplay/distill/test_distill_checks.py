"""The check that nothing was invented."""

from __future__ import annotations

import pytest

from roleplay.distill.checks import verify_verbatim
from roleplay.errors import ScriptError
from roleplay.records import Line

TEXT = "闻筝说：“漏了。”"


def said(text: str, span: tuple[int, int] | None) -> Line:
    return Line(kind="say", char="闻筝", text=text, span=span)


def test_slices_of_the_novel_are_counted() -> None:
    assert verify_verbatim(TEXT, [said("漏了。", (5, 8)), said("漏", (5, 6))]) == 2


def test_the_first_changed_line_is_named() -> None:
    with pytest.raises(
        ScriptError, match=r'line 2: say "修了。" is not the novel\'s text at 5\.\.8 \("漏了。"\)'
    ):
        verify_verbatim(TEXT, [said("漏了。", (5, 8)), said("修了。", (5, 8))])


def test_a_spoken_line_needs_a_span() -> None:
    with pytest.raises(ScriptError, match=r"line 1: say .* has no span in the novel"):
        verify_verbatim(TEXT, [said("漏了。", None)])


def test_narration_without_a_span_is_let_pass() -> None:
    assert verify_verbatim(TEXT, [Line(kind="info", text="雨")]) == 0
