r"""What a model is trained on: passages, whole scenes or interviews in which some segments are to be learnt.

One passage, as segments (weight, text)::

    (0, "【闻筝：滴答铺学徒修雨匠】\n")              profiles, in mode profile only
    (0, "【郝婶卖豆糕，住檐下巷四十一号。】\n")      background, as chat shows it
    (0, "【窗外飘来一股热气】\n")
    (0, "郝婶：") (1, "小筝，椒盐的出笼咯！\n")
    (0, "闻筝：") (1, "焦的那头是我的，没得商量！ \\emoji 兴奋\n")

A causal model learns every wanted line of the scene in one pass, where one row a line would read the same text again for
each. The segments are those of :mod:`roleplay.prompts`, so a trained line and a chatted line have the same ids before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roleplay import prompts
from roleplay.dataset.interviews import Asked, Group, groups
from roleplay.dataset.scenes import Chapters, View, Weights, cut_pieces, scene_background, view_profiles, views
from roleplay.dataset.settings import Materials
from roleplay.prompts import Snippet
from roleplay.records import Passage, Segment
from roleplay.script import format_cue


def scene_passage(
    view: View, *, chapter: int, background: Sequence[Snippet] = (), profiles: Sequence[str] = ()
) -> Passage:
    """The passage of a view of a scene."""
    segments = [*(Segment(text=text) for text in profiles), *_background(background)]
    for line, weight in zip(view.lines, view.weights, strict=True):
        *before, body = prompts.line_segments(line)
        segments += [Segment(text=text) for text in before]
        segments.append(Segment(text=body, weight=weight))
    return Passage(task="scene", chapter=chapter, segments=tuple(segments))


def interview_passage(asked: Sequence[Asked], *, background: Sequence[Snippet] = (), profile: str = "") -> Passage:
    """Several questions to one character, one after the other, as a chat with history shows them."""
    who = prompts.profile_segment(asked[0].character, profile)
    segments = [*([Segment(text=who)] if who else []), *_background(background)]
    for row in asked:
        segments += [Segment(text=text) for text in prompts.question_segments(row.question)]
        segments.append(Segment(text=format_cue(row.character)))
        segments.append(Segment(text=f"{prompts.one_line(row.answer)}\n", weight=1.0))
    return Passage(task=asked[0].task, segments=tuple(segments))


def _background(snippets: Sequence[Snippet]) -> Iterator[Segment]:
    """Worst first, so that the best stands nearest to the scene, as in :func:`roleplay.prompts.scene_prompt`."""
    for snippet in reversed(snippets):
        yield Segment(text=prompts.background_segment(snippet))


def build_scenes(chapters: Chapters, weights: Weights, materials: Materials) -> list[Passage]:
    """The passages of whole chapters."""
    passages = []
    for piece in cut_pieces(chapters, weights, materials):
        chapter = piece.scene.chapter
        for view in views(piece):
            background = scene_background(piece, view.characters, materials)
            profiles = view_profiles(view, materials) if piece.profiles else []
            passages.append(scene_passage(view, chapter=chapter, background=background, profiles=profiles))
    return passages


def build_interviews(asked: Sequence[Asked], materials: Materials) -> list[Passage]:
    """Passages of one character and task each, with the background found for their questions."""
    return [group_passage(group) for group in groups(asked, materials)]


def group_passage(group: Group) -> Passage:
    """The passage of a group of questions."""
    return interview_passage(group.asked, background=group.background, profile=group.profile)
