"""Hard-wrapped lines, cut at about the same width in mid-sentence, joined to paragraphs again.

    unwrap("　　话说天下大势，分久必合，合久必分。周末七国分争，并入于\\n秦。及秦灭之后，……\\n")
    # "　　话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，……\\n"

A stretch of the text is wrapped where its lines end in mid-sentence and most of those are about
equally wide. There a line goes on in the next one if the next word had no room left in it, so that
verse, headings and a paragraph's last line stay; a blank or an indented line begins a paragraph.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

_STRETCH = 400  # lines that are judged together: books are put together from several files
_SHORTEST, _LONGEST = 40, 200  # columns; shorter lines are headings and verse
# Of twenty long lines one ends in mid-sentence and none is wider than those; or six do.
_ENOUGH, _FEW, _MANY = 5, 0.05, 0.3
_BEYOND = 1.1
_EVEN, _EVEN_SHARE = 0.8, 0.6  # most broken lines are at least so wide, of the widest
_SLACK = 2  # columns: a closing mark may hang over the edge
_WIDE = re.compile(r"[ᄀ-ᇿ⺀-꓏가-힣豈-﫿︰-﹏＀-｠￠-￦—…“”‘’]")
_UNSPACED = re.compile(r"[⺀-꓏豈-﫿︰-﹏＀-￯]")  # Chinese and Japanese; Korean has blanks
_SENTENCE_END = "。！？…”’」』：；—～)）】》.!?:;\"'*_|"
_FIRST = re.compile(r"[!-~À-ɏ’]+|[^!-~][，。！？、；：”’」』）》〉】…]*")
_BLANKS = " \t　"
_HEAD = re.compile(r"[ \t　]*(?:第.{1,9}[章回节節]|(?i:chapter)\b)")
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
_LAST_PART = re.compile(r"([A-Za-z]+)-$")
_BLANK_LINE = re.compile(r"\n[ \t　]*\n")


def unwrap(text: str) -> str:
    """The text with its hard-wrapped paragraphs in one line each; another text as it is."""
    lines = text.split("\n")
    count = max(1, len(lines) // _STRETCH)
    cuts = [len(lines) * i // count for i in range(count + 1)]
    edges = [
        edge
        for start, end in zip(cuts, cuts[1:], strict=False)
        for edge in [_edge(lines[start:end])] * (end - start)
    ]
    if not any(edges):
        return text
    broken = [i for i, line in enumerate(lines[:-1]) if edges[i] and _is_broken(line)]
    if sum(not lines[i + 1].strip() for i in broken) > 0.8 * len(broken):
        return unwrap(_BLANK_LINE.sub("\n", text))  # a blank line behind every line says nothing
    return "\n".join(_Joiner(text, lines, edges, broken).paragraphs())


def _is_broken(line: str) -> bool:
    line = line.rstrip()
    return len(line) >= _SHORTEST // 2 and line[-1] not in _SENTENCE_END


def _edge(lines: Sequence[str]) -> int:
    """The column at which the lines are cut; 0: they are not."""
    longer = [line for line in lines if len(line) >= _SHORTEST // 2]
    broken = [line for line in longer if _is_broken(line)]
    if len(broken) < max(_ENOUGH, _FEW * len(longer)):
        return 0
    widths = sorted(width for line in broken if _SHORTEST <= (width := _width(line)) <= _LONGEST)
    edge = widths[len(widths) * 3 // 4] if widths else 0
    if sum(_EVEN * edge <= width for width in widths) < max(_ENOUGH, _EVEN_SHARE * len(broken)):
        return 0
    wider = sum(_width(line) > _BEYOND * edge for line in longer)
    return edge if wider <= _FEW / 2 * len(longer) or len(broken) >= _MANY * len(longer) else 0


def _width(line: str) -> int:
    line = line.rstrip()
    return len(line) + _WIDE.subn("", line)[1]


def _indent(line: str) -> int:
    return _width(line[: len(line) - len(line.lstrip(_BLANKS))] + ".")


class _Joiner:
    """Puts lines together; ``edges``: the column at which each is cut, ``broken``: in mid-sentence."""

    def __init__(
        self, text: str, lines: Sequence[str], edges: Sequence[int], broken: Sequence[int]
    ) -> None:
        self.text, self.lines, self.edges = text, lines, edges
        after = Counter(_indent(lines[i + 1]) for i in broken if lines[i + 1].strip())
        # Where a paragraph goes on; its first line is indented by more (or, hanging, by less).
        self.indent = after.most_common(1)[0][0] if after else 1

    def paragraphs(self) -> Iterator[str]:
        """The joined lines."""
        pieces = [self.lines[0]]
        for i, line in enumerate(self.lines[1:]):
            if self._goes_on(self.lines[i], line, self.edges[i]):
                line = line.lstrip(_BLANKS)
                pieces[-1] = self._before(pieces[-1].rstrip(), line)
                pieces.append(line)
            else:
                yield "".join(pieces)
                pieces = [line]
        yield "".join(pieces)

    def _goes_on(self, line: str, following: str, edge: int) -> bool:
        if not (edge and line.strip() and following.strip()) or _indent(following) != self.indent:
            return False
        first = _FIRST.match(following.lstrip(_BLANKS))
        if _width(line) + (_width(first[0]) if first else 1) + _SLACK <= edge:
            return False
        answered = line.rstrip()[-1] in '”」』"' and following.lstrip(_BLANKS)[0] in '“「『"'
        return not answered and not (_HEAD.match(following) and not _is_broken(line))

    def _before(self, line: str, following: str) -> str:
        """A line as it stands before the next one: with a blank, or without its hyphen."""
        last, first = _LAST_PART.search(line), _WORD.match(following)
        if last and first:
            whole, known = f"{last[1]}-{first[0]}".lower(), self.words
            # A word that stands here alone is half a word: um-brella, but well-known.
            parts = all(known[part] > 1 for part in whole.split("-"))
            return (
                line if known[whole] or (parts and not known[whole.replace("-", "")]) else line[:-1]
            )
        close = line.endswith(("--", "—")) or _UNSPACED.search(line[-3:] + following[:3])
        return line if close else line + " "

    @cached_property
    def words(self) -> Counter[str]:
        """All words of the text."""
        return Counter(_WORD.findall(self.text.lower()))
