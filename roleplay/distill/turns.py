"""The turns of a conversation: what one person says in a paragraph, with the narration around it.

    “那、那个……”陆迟缩了缩脖子，“这封信……可以吗？”
    # Turn(quotes=[..., ...], cue=None, inside=("陆迟",), objects=set())

In most novels a paragraph is one turn, and its narration is about who speaks. In the classics (``shared``)
each quote is a turn of its own, and only the clause before it tells who speaks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from roleplay.distill.cues import PRONOUNS, Names, ends_saying, first_subject, says, subjects, thinks
from roleplay.novel.quotes import Quote, find_quotes
from roleplay.records import Span

_SENTENCE = re.compile(r"[^。！？!?…]*[。！？!?…]+[”’」』]*|[^。！？!?…]+$")
_WRAP = re.compile(r"(?<![ \t　])[ \t　]*\n[ \t　]*")
_NEXT_SPEAKER = re.compile(r"[”」』][^“”「」『』]{1,25}[曰道说云问][：:]")
_OPENING = re.compile(r"[“「『]")
_SHARED_SHARE = 0.15
_ENOUGH = 30
_SILENT = re.compile(
    r"没(?:有)?(?:再|来得及)?(?:说|吭声|回答|答|接话|作声|开口|理)|不(?:说|答|吭声|接话|语|作声)|听[了着到见]?[^，。]{0,6}说"
)
_STRANGER = re.compile(r"[一-鿿]{1,4}")
_NO_NAME = re.compile(
    r"[着了过起来上下回转抬低点摇笑叹想看走站坐把手头眼声气又也才都就却忙急再还便只先对向跟冲和的地得是不没又一半]"
)
_VERB = re.compile(r"(?:[低小轻大高厉]声|[笑怒喝骂叫喊叹哭问答回应说])*[说道曰问答喊叫]+[着了]?[：:，]?$")


@dataclass(frozen=True)
class Cue:
    """What a cue tells: ``who`` (a name, a pronoun, or ``None`` for somebody without a known name) and its rule."""

    who: str | None
    rule: str
    thought: bool = False


@dataclass
class Block:
    """A paragraph: its quotes and the narration around them, one gap more than quotes."""

    quotes: list[Quote]
    gaps: list[Span]
    plain: list[str] = field(default_factory=list)


@dataclass
class Turn:
    """What one person says in one paragraph; ``before``, ``inside`` and ``after`` are subjects of the narration."""

    block: int
    quotes: list[Quote]
    text: str
    cue: Cue | None
    before: list[str | None]
    inside: list[str | None]
    after: list[str | None]
    objects: set[str]
    continues: bool = False
    thought: bool = False


def read_blocks(text: str, paragraphs: Sequence[Span]) -> list[Block]:
    """The paragraphs of the text with their quotes; a quote over several paragraphs belongs to the first."""
    quotes = [quote for quote in find_quotes(text, paragraphs) if quote.kind != "term"]
    blocks, at, done = [], 0, 0
    for start, end in paragraphs:
        first = at
        while at < len(quotes) and quotes[at].outer[0] < end:
            at += 1
        edges = [max(start, done), *(edge for quote in quotes[first:at] for edge in quote.outer)]
        done = max(end, edges[-1])
        edges.append(done)
        gaps = list(zip(edges[::2], edges[1::2], strict=True))
        blocks.append(Block(quotes[first:at], gaps, [plain(text, gap) for gap in gaps]))
    return blocks


def plain(text: str, span: Span) -> str:
    """The narration of a gap as one line."""
    return _WRAP.sub("", text[slice(*span)]).strip()


def is_shared(text: str) -> bool:
    """Whether several persons speak in one paragraph, as in the classics."""
    openings = len(_OPENING.findall(text))
    return openings >= _ENOUGH and len(_NEXT_SPEAKER.findall(text)) > _SHARED_SHARE * openings


def read_turns(text: str, blocks: Sequence[Block], names: Names) -> list[Turn]:
    """The turns of the whole text in order."""
    shared, turns, lead = is_shared(text), [], ""
    for index, block in enumerate(blocks):
        gaps = list(block.plain)
        if block.quotes:
            gaps[0] = gaps[0] or (lead if lead.endswith(("：", ":")) else "")
            turns += _turns(text, index, block.quotes, gaps, names, shared)
        lead = gaps[-1] or lead
    return turns


def _turns(text: str, index: int, quotes: Sequence[Quote], gaps: list[str], names: Names, shared: bool) -> list[Turn]:
    """The turns of one paragraph."""
    cues = [cue_before(one, names) or (None if shared else cue_after(two, names)) for one, two in pairwise(gaps)]
    starts = [i for i in range(len(quotes)) if not i or shared or _breaks(cues, gaps, i, names)]
    return [
        _turn(text, index, quotes, cues, gaps, (first, last), names, shared)
        for first, last in pairwise([*starts, len(quotes)])
    ]


def _breaks(cues: Sequence[Cue | None], gaps: Sequence[str], i: int, names: Names) -> bool:
    """Whether another person goes on with quote ``i``: its cue, in a new sentence, names somebody else."""
    gap = gaps[i]
    cue, last = cues[i], cues[i - 1]
    if cue is None or cue.rule != "before" or cue.who is None or cue.who in PRONOUNS:
        return False
    first = last.who if last else next(iter(subjects(gap, names)), None)
    return cue.who != first and (len(_SENTENCE.findall(gap)) > 1 or last is not None)


def _turn(
    text: str,
    index: int,
    quotes: Sequence[Quote],
    cues: Sequence[Cue | None],
    gaps: Sequence[str],
    span: tuple[int, int],
    names: Names,
    shared: bool,
) -> Turn:
    first, last = span
    narration = [gaps[first], *([] if shared else gaps[first + 1 : last + 1])]
    after = [] if shared or (last < len(quotes) and _leads(gaps[last])) else subjects(narration[-1], names)
    told = "".join(narration)
    actors = {name for gap in narration for name in subjects(gap, names) if name}
    return Turn(
        block=index,
        quotes=list(quotes[first:last]),
        text="".join(text[slice(*quote.span)] for quote in quotes[first:last]),
        cue=_best(cues[first:last]),
        before=subjects(narration[0], names),
        inside=[] if shared else [name for gap in gaps[first + 1 : last] for name in subjects(gap, names)],
        after=after,
        objects={name for _, _, name in names.find(told)} - actors,
        continues=quotes[first].continues,
        thought=any(cue.thought for cue in cues[first:last] if cue),
    )


def _leads(gap: str) -> bool:
    return gap.endswith(("：", ":"))


def _best(cues: Sequence[Cue | None]) -> Cue | None:
    """The cue that tells most: a name, then a pronoun, then somebody; ``inside`` where it stands between quotes."""
    known = [(i, cue) for i, cue in enumerate(cues) if cue]
    if not known:
        return None
    i, cue = min(known, key=lambda pair: (pair[1].who is None, pair[1].who in PRONOUNS))
    between = len(cues) > 1 and (i > 0 or cue.rule == "after")
    return Cue(cue.who, "inside", cue.thought) if between else cue


def cue_before(gap: str, names: Names) -> Cue | None:
    """The cue right before a quote (闻筝没好气地说：); the subject may stand in an earlier sentence."""
    sentences = _SENTENCE.findall(gap)
    if not sentences or gap[-1] in "。！？" or not (_leads(gap) or ends_saying(gap)):
        return None
    for sentence in reversed(sentences):
        if found := subjects(sentence, names):
            return Cue(found[-1], "before", thinks(sentences[-1]))
        if sentence is sentences[-1] and _is_stranger(sentence):
            return Cue(None, "before", thinks(sentence))
    return None


def _is_stranger(sentence: str) -> bool:
    """Whether the last clause is a word that can be a name and a speech verb (孟氏道：)."""
    clause = re.split(r"[，,；]", sentence.rstrip("：:，, "))[-1]
    bare = _VERB.sub("", clause)
    return bare != clause and bool(_STRANGER.fullmatch(bare)) and not _NO_NAME.search(bare)


def cue_after(gap: str, names: Names) -> Cue | None:
    """The cue right after a quote (铜婆慢悠悠地说。)."""
    first = next(iter(_SENTENCE.findall(gap)), "")
    if not first or _leads(first) or _SILENT.search(first):
        return None
    aloud, thought = says(first), thinks(first)
    if not (aloud or thought):
        return None
    who = first_subject(first, names)
    if who is None and not subjects(first, names) and not _is_stranger(first.rstrip("。！？…")):
        return None
    return Cue(who, "after", thought)
