r"""What a model is trained on: passages, scenes or interviews in which some segments are learnt.

One passage, as segments (weight, text)::

    (0, "【闻筝：滴答铺学徒修雨匠】\n")              profiles, in mode profile only
    (0, "【郝婶卖豆糕，住檐下巷四十一号。】\n")      background, as chat shows it
    (0, "【窗外飘来一股热气】\n")
    (0, "郝婶：") (1, "小筝，椒盐的出笼咯！\n")
    (0, "闻筝：") (1, "焦的那头是我的，没得商量！ \\emoji 兴奋\n")

A causal model learns every wanted line of the scene in one pass, where one row a line would read
the same text again for each. The segments are those of :mod:`roleplay.prompts`, so a trained line
and a chatted line have the same ids before it.
"""

from collections.abc import Iterable, Iterator, Sequence

from roleplay import prompts
from roleplay.background import Snippet
from roleplay.dataset.interviews import Group
from roleplay.dataset.scenes import Piece, scene_background, views
from roleplay.dataset.settings import BuildContext
from roleplay.records import Passage, Segment
from roleplay.script import format_cue

_MOST_PROFILES = 3  # More would push a shared scene out of the model's sight.


def scene_passages(pieces: Iterable[Piece], context: BuildContext) -> Iterator[Passage]:
    """The passages of scenes, one a view."""
    for piece in pieces:
        profiles = context.profiles if piece.profiles else {}
        for view in views(piece):
            known = [name for name in view.characters if profiles.get(name)][:_MOST_PROFILES]
            segments = _plain(*(prompts.profile_segment(name, profiles[name]) for name in known))
            segments += _background(scene_background(piece, view.characters, context))
            for line, weight in view.lines:
                *before, body = prompts.line_segments(line)
                segments += [*_plain(*before), Segment(text=body, weight=weight)]
            yield Passage(task="scene", chapter=piece.chapter, segments=tuple(segments))


def group_passage(group: Group) -> Passage:
    """Several questions to one character, one after the other, as chat with history shows them."""
    who = prompts.profile_segment(group.asked[0].character, group.profile)
    segments = [*_plain(*([who] if who else [])), *_background(group.background)]
    for row in group.asked:
        segments += _plain(*prompts.question_segments(row.question), format_cue(row.character))
        segments.append(Segment(text=f"{prompts.one_line(row.answer)}\n", weight=1.0))
    return Passage(task=group.asked[0].task, segments=tuple(segments))


def _plain(*texts: str) -> list[Segment]:
    return [Segment(text=text) for text in texts]


def _background(snippets: Sequence[Snippet]) -> list[Segment]:
    """Worst first: the best stands nearest to the scene, as in ``prompts.scene_prompt``."""
    return _plain(*map(prompts.background_segment, reversed(snippets)))
