"""The turns of a conversation: what one person says in a paragraph, with the narration around it.

    “那、那个……”陆迟缩了缩脖子，“这封信……可以吗？”
    # Turn(quotes=[..., ...], cue=None, inside=["陆迟"], objects=set())

In most novels a paragraph is one turn, and its narration is about who speaks. In the classics
(``shared``) each quote is a turn, and only the clause before it tells who speaks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from roleplay.distill.rules.cues import PRONOUNS, Cue
from roleplay.distill.rules.people import People
from roleplay.novel.paragraphs import paragraph_spans
from roleplay.novel.quotes import Quote, find_quotes
from roleplay.records import Span

# A line end in a hard-wrapped paragraph; begun at the first blank only, or long runs take ages.
_WRAP = re.compile(r"(?<![ \t　])[ \t　]*\n[ \t　]*")
_NEXT_SPEAKER = re.compile(r"[”」』][^“”「」『』]{1,25}[曰道说云问][：:]")
_OPENING = re.compile(r"[“「『]")
# A longer sentence on a line of its own is a story, and no cue.
_LONGEST_CUE = 60
_SHARED_SHARE = 0.15
_ENOUGH = 30


@dataclass(frozen=True)
class Block:
    """A paragraph: its quotes and the narration around them, one gap more than quotes."""

    quotes: list[Quote]
    gaps: list[Span]
    plain: list[str]
    """The gaps' texts, each as one line."""


@dataclass(frozen=True)
class Turn:
    """What one person says in one paragraph; the narration's subjects stand by where they are."""

    block: int
    quotes: list[Quote]
    text: str
    cue: Cue | None
    before: list[str | None]
    inside: list[str | None]
    after: list[str | None]
    objects: set[str]
    thought: bool = False
    adjoins: bool = False
    """It stands right after another quote in the paragraph, with nothing between (“…”“…”)."""
    shared: bool = False
    """Others speak in the same paragraph, and a quote without a cue is by nobody of the cast."""
    alone: bool = False
    """No narration stands in its paragraph."""
    own_line: bool = False
    """Its cue stands on a line of its own after it."""

    @property
    def continues(self) -> bool:
        """Whether it goes on with the turn before, whose quote was left open."""
        return self.quotes[0].continues

    @property
    def actors(self) -> list[str | None]:
        """The subjects of its narration, the pronouns left out."""
        return [who for who in (*self.before, *self.inside, *self.after) if who not in PRONOUNS]


# A script, its numbered spans and the report each ask for the quotes of the same book.
@lru_cache(maxsize=2)
def spoken_quotes(text: str, paragraphs: tuple[Span, ...] | None = None) -> tuple[Quote, ...]:
    """The quotes that somebody says or thinks, by default of the text's own paragraphs."""
    return tuple(quote for quote in find_quotes(text, paragraphs) if quote.kind != "term")


def read_blocks(text: str, paragraphs: Sequence[Span] | None = None) -> list[Block]:
    """The text's paragraphs, or the given ones; a quote over several belongs to the first."""
    # A None that is given would be another key of the cache.
    quotes = spoken_quotes(text) if paragraphs is None else spoken_quotes(text, tuple(paragraphs))
    blocks, at, done = [], 0, 0
    for start, end in paragraph_spans(text) if paragraphs is None else paragraphs:
        first = at
        while at < len(quotes) and quotes[at].outer[0] < end:
            at += 1
        edges = [max(start, done), *(edge for quote in quotes[first:at] for edge in quote.outer)]
        done = max(end, edges[-1])
        gaps = list(zip(edges[::2], [*edges[1::2], done], strict=True))
        plain = [unwrapped(text[slice(*gap)]).strip() for gap in gaps]
        blocks.append(Block(list(quotes[first:at]), gaps, plain))
    return blocks


def unwrapped(text: str) -> str:
    """The text without the line ends inside a hard-wrapped paragraph."""
    return _WRAP.sub("", text)


def trimmed(text: str, span: Span, edges: str = "") -> Span:
    """The span without white space, nor any of the characters ``edges``, at its ends."""
    inner = rf"[^\s{edges}]"
    found = re.compile(rf"{inner}(?:.*{inner})?", re.S).search(text, *span)
    return found.span() if found else (span[1], span[1])


def read_turns(text: str, blocks: Sequence[Block], people: People) -> list[Turn]:
    """The turns of the whole text in order."""
    turns, lead, openings = list[Turn](), "", len(_OPENING.findall(text))
    # As in the classics, where a quote's end, a short cue and a colon stand between two speakers.
    shared = openings >= _ENOUGH and len(_NEXT_SPEAKER.findall(text)) > _SHARED_SHARE * openings
    for index, block in enumerate(blocks):
        gaps = list(block.plain)
        if block.quotes:
            # A cue may end the paragraph before (小筝大叫：↵“漏了。”).
            gaps[0] = gaps[0] or (lead if people.grammar.leads(lead) else "")
            own_line = _own_line(blocks, index, gaps, people)
            gaps[-1] = gaps[-1] or own_line
            found = _turns(text, index, block.quotes, gaps, people, shared=shared)
            turns += [
                *found[:-1],
                replace(found[-1], own_line=bool(own_line), alone=not any(block.plain)),
            ]
        lead = gaps[-1] if gaps[-1] and not block.quotes else block.plain[-1]
    return turns


def _own_line(blocks: Sequence[Block], index: int, gaps: Sequence[str], people: People) -> str:
    """The paragraph after a quote that stands alone, if that is the quote's cue (阿岚问道。)."""
    after = blocks[index + 1 : index + 2]
    # A paragraph with a quote of its own tells of that, unless it is only a thought.
    if any(gaps) or not after or any(quote.kind == "speech" for quote in after[0].quotes):
        return ""
    told = after[0].plain[0]
    first = next(iter(people.grammar.sentence.findall(told)), "")
    if len(first) > _LONGEST_CUE or people.grammar.leads(told):
        return ""
    return first if people.grammar.cue_alone(first, people.names) else ""


def _turns(
    text: str, index: int, quotes: list[Quote], gaps: list[str], people: People, *, shared: bool
) -> list[Turn]:
    """The turns of one paragraph."""
    grammar, names = people.grammar, people.names
    found = [grammar.cue_before(gap, names) for gap in gaps[:-1]]
    # What leads to speech leads to no （…）.
    found = [
        one if quote.mark != "（" or (one and one.thought) else None
        for one, quote in zip(found, quotes, strict=True)
    ]
    after = [grammar.cue_after(gap, names) for gap in gaps[1:]]
    if not shared:
        found = [one or two for one, two in zip(found, after, strict=True)]
    starts = [
        i
        for i in range(len(quotes))
        if not i or shared or not gaps[i] or _breaks(found, gaps, i, people)
    ]
    turns = []
    for first, last in pairwise([*starts, len(quotes)]):
        own = quotes[first:last]
        told = gaps[first : first + 1] if shared else gaps[first : last + 1]
        acting = [grammar.subjects(gap, names) for gap in told]
        # What leads to the next quote is about the next turn.
        leads_on = shared or (last < len(quotes) and last in starts)
        mentions = {name for _, _, name in names.find("".join(told))}
        turn = Turn(
            block=index,
            quotes=own,
            text="".join(text[slice(*quote.span)] for quote in own),
            cue=_best(found[first:last]),
            before=acting[0],
            inside=[who for one in acting[1:-1] for who in one],
            after=[] if leads_on else acting[-1],
            objects=mentions - {who for one in acting for who in one if who},
            thought=any(cue.thought for cue in found[first:last] if cue),
            adjoins=first > 0 and not gaps[first],
            shared=shared,
        )
        turns.append(turn)
    return turns


def _breaks(found: Sequence[Cue | None], gaps: Sequence[str], i: int, people: People) -> bool:
    """Whether another person goes on with quote ``i``: a new sentence's cue names somebody else."""
    cue, last = found[i], found[i - 1]
    sentences = people.grammar.sentence.findall(gaps[i])
    acting = people.grammar.subjects(gaps[i], people.names)
    if cue is None or cue.rule != "before":
        # 周伯摇头。“不走。”林小满坐下。“我也不走。”: each acts before the own words.
        acted = people.grammar.subjects(gaps[i - 1], people.names)
        whole = cue is None and gaps[i].endswith(("。", "！", "？", "…", ".", "!", "?"))
        two = acted[-1:] and acting[:1] and {acted[-1], acting[0]}.isdisjoint([None, *PRONOUNS])
        return bool(whole and last is None and two and acted[-1] != acting[0])
    first = last.who if last else next(iter(acting), None)
    if cue.who is None or cue.who in PRONOUNS:
        # “走吗？”他说：“不走。” after a cue of its own: who asks does not answer.
        return last is not None and last.rule == "before" and cue.who != last.who
    return cue.who != first and (len(sentences) > 1 or last is not None)


def _best(found: Sequence[Cue | None]) -> Cue | None:
    """The cue that tells most: of a name, then of a pronoun; ``inside`` if between two quotes."""
    known = [(i, cue) for i, cue in enumerate(found) if cue]
    if not known:
        return None
    i, cue = min(known, key=lambda pair: (pair[1].who is None, pair[1].who in PRONOUNS))
    between = len(found) > 1 and (i > 0 or cue.rule == "after")
    return Cue(cue.who, "inside", cue.thought) if between else cue
