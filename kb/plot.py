"""What a novel itself tells, as plain notes: summaries, what characters are after, what was said.

    PlotNote(title="闻筝", text="闻筝想在天黑前修好滴答铺的漏雨。", chapter=1, people=("闻筝",),
             heading="第一章　漏雨的早晨", source="summaries.jsonl")

A wiki holds at any time and for everybody, a note from its chapter on and for those who were there.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PlotNote:
    """A piece of the plot; `people` are those who know it, none given means everybody."""

    text: str
    title: str
    chapter: int
    people: tuple[str, ...] = ()
    heading: str = ""
    source: str = ""
